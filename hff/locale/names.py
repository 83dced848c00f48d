"""What labels, modalities and damages are called in the language of the moment; unknown ones keep their own name."""

from __future__ import annotations

from hff import modalities
from hff.locale.catalogue import lookup


def emotion(label: str) -> str:
    """A label of the loaded weights, as "fearful", in the language of the moment."""
    return lookup("EMOTION_NAMES").get(label, label)


def modality(key: str, form: str = "name") -> str:
    """A modality's name, or the ``form`` a sentence needs: "the" voice, "The" voice at its start, "of" the voice."""
    named = modalities.of(key).name if key in modalities.MODALITIES else ""
    own = (named or key.capitalize()) if form == "name" else key
    return lookup("MODALITY_FORMS").get(key, {}).get(form, own)


def damage(kind: str) -> str:
    return lookup("LAB_DAMAGE_NAMES").get(kind, kind)
