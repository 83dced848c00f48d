"""What makes the weights and measures them, one stage at a time: ``python -m train --help``.

Here live the corpora, the trainings of encoders and fusion, the rivals and what is measured of all. No page, and
nothing that is needed to read a clip: that is ``hff``, which works without this package.
"""

from hff import quiet

quiet.libraries()  # here too: a module of ``train`` may import a library before one of ``hff``
