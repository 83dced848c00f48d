"""What makes the weights and measures them, one stage at a time: ``python -m train --help``.

Here live the corpora, the trainings of encoders and fusion, the rivals and what is measured of all. No page, and
nothing that is needed to read a clip: that is ``hff``, which works without this package.
"""

from pathlib import Path

from hff import quiet
from hff.locale.catalogue import add_folder

quiet.libraries()  # here too: a module of ``train`` may import a library before one of ``hff``
add_folder(Path(__file__).parent / "locale")  # what this package's errors say
