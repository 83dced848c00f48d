"""Training of the encoders and the fusion: ``python -m train --help``."""

from hff import quiet

quiet.libraries()  # here too: a module of ``train`` may import a library before one of ``hff``
