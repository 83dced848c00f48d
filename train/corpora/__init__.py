"""The corpora, a module each: where it lies, what it holds, how its labels map to the model's seven.

A module has ``SOURCE`` (where a user gets it), ``LICENCE`` and ``load(root)``, which gives its items or raises
``base.CorpusError``, naming the file that is missing. To add a corpus, write its module and name it here; then
``python -m train data`` lists it, and any stage may learn from it.
"""

from train.corpora import (
    dailydialog,
    dairai,
    emodb,
    emorynlp,
    fer,
    goemotions,
    isear,
    meld,
    mmsa,
    mustard,
    muxspace,
    ravdess,
)

ALL = {
    "RAVDESS": ravdess,
    "EmoDB": emodb,
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
