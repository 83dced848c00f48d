"""The corpora, a module each: where it lies, what it holds, how its labels map to the model's.

A module has ``NAME``, ``CONTENT`` (what it is), ``SOURCE`` (where a user gets it; ``HUB`` its name on the Hugging Face
Hub), ``LICENCE``, ``PARTS`` (which part of the model learns from what of it, maybe no part) and ``load(root)``: its
items, or ``base.CorpusError`` that names the missing file. One that figures stand on says in ``TEST`` on what of it.
A module that is named here may be learned from by any stage; ``python -m train data``, the card and the page list it.
"""

from train.corpora import (
    ased,
    cmu_sdk,
    dailydialog,
    dairai,
    emodb,
    emorynlp,
    fer,
    goemotions,
    iemocap,
    isear,
    korean,
    london,
    meld,
    mmsa,
    mustard,
    muxspace,
    nemo,
    own_sentences,
    ravdess,
)

ALL = {
    corpus.NAME: corpus
    for corpus in (
        ravdess,
        emodb,
        nemo,
        korean,
        ased,
        fer,
        goemotions,
        meld,
        emorynlp,
        dailydialog,
        isear,
        dairai,
        mustard,
        muxspace,
        london,
        own_sentences,
        mmsa,
        cmu_sdk,
        iemocap,
    )
}


def described() -> list[dict]:
    """The corpora that the weights were made from, JSON-ready: what the model card and the page say of them."""
    return [
        {
            "key": corpus.__name__.rpartition(".")[2],
            "name": name,
            "content": corpus.CONTENT,
            "licence": corpus.LICENCE,
            "source": corpus.SOURCE,
            "parts": corpus.PARTS,
        }
        for name, corpus in ALL.items()
        if corpus.PARTS
    ]
