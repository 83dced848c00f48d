"""The corpora, a module each: where it lies, what it holds, how its labels map to the model's seven.

A module has ``SOURCE`` (where a user gets it), ``LICENCE`` and ``load(root)``, which gives its items or raises
``base.CorpusError``, naming the file that is missing. To add a corpus, write its module and name it here; then
``python -m train data`` lists it, and any stage may learn from it.
"""

from train.corpora import (
    ased,
    dailydialog,
    dairai,
    emodb,
    emorynlp,
    fer,
    goemotions,
    isear,
    korean,
    meld,
    mmsa,
    mustard,
    muxspace,
    nemo,
    ravdess,
)

ALL = {
    "RAVDESS": ravdess,
    "EmoDB": emodb,
    "nEMO": nemo,
    "emotiontts": korean,
    "ASED": ased,
    "FER2013": fer,
    "GoEmotions": goemotions,
    "MELD": meld,
    "EmoryNLP": emorynlp,
    "DailyDialog": dailydialog,
    "ISEAR": isear,
    "dair-ai": dairai,
    "MUStARD++": mustard,
    "muxspace": muxspace,
    "CMU-MOSI": mmsa,
}
