"""What labels, modalities and corruptions are called in the language of the moment; unknown ones keep their name."""

from __future__ import annotations

from hff import modalities
from hff.locale.catalogue import lookup


def emotion(label: str) -> str:
    """A label of the loaded weights, as "fearful", in the language of the moment."""
    return lookup("EMOTION_NAMES").get(label, label)


def modality(key: str, form: str = "name") -> str:
    """A modality's name, or the ``form`` that a sentence needs: "the" voice, "of" the voice.

    Where a verb goes with the name the form is a whole clause, since the words *are* what the voice *is*: "gone" (the
    voice is gone), "back" (the voice is there again).
    """
    named = modalities.of(key).name if key in modalities.MODALITIES else ""
    forms = lookup("MODALITY_FORMS")
    pattern = forms.get(key, {}).get(form) or forms["other"][form]
    return pattern.format(key=key, name=named or key.capitalize())


def corruption_name(kind: str) -> str:
    return lookup("LAB_CORRUPTION_NAMES").get(kind, kind)
