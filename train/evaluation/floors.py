"""What figures are held against: the least that a shipped part must reach, and what others report."""

from __future__ import annotations

# Of each encoder alone on its corpus' test items: unweighted recall of voices, accuracy of faces, F1 of words.
FLOORS = {
    "mfcc-cnn": 0.68,
    "whisper": 0.84,
    "vision": 0.845,
    "goemotions_macro_f1": 0.64,
    "meld_weighted_f1": 0.59,
}

# Accuracy of one modality alone on new videos, about as published for MOSI (Poria et al., ACL 2017). For the text the
# lower end: in simulations trusting too little cost half a point, trusting too much up to fifteen.
USUAL = {"speech": 0.60, "text": 0.75, "vision": 0.56}
