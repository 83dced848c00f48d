"""Training of the encoders and the fusion: ``python -m train --help``."""
