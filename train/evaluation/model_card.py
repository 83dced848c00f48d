"""The model card: what the measured tables say, around text that says what they are about."""

from __future__ import annotations

import json
from pathlib import Path

from hff import model_hub
from hff.weights import CARD_FILE, CORPORA_FILE, MEASURED_FILE
from train.corpora import ALL, described, fer, goemotions, meld, ravdess
from train.engine.whole_files import write_whole
from train.evaluation.shipped_parts import SHIPPED_PARTS

COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")  # as one writes them out

# The words and numbers of the Hugging Face Hub (its docs: "Model cards", "Tasks", "Metrics").
LICENCE_ID = "cc-by-nc-sa-4.0"  # of ``weights/LICENSE``
TASK_ID = "video-classification"
METRIC_IDS = ("accuracy", "recall", "f1", "brier_score")

HEAD = """# Model card: HFF, {count} emotions

Reads {labels} from voice, words and face, and says how much each
counted (alpha) and how unsure it was of each (sigma^2). Made for teaching how multimodal fusion works.

**Not for decisions about people.** The voices are acted, the faces are pictures that strangers labelled, the words are
comments and television lines: the model knows how emotion is *shown* there, not what anybody feels. Do not use it
to judge pupils, applicants, patients, employees or anybody else.

## Training data and licences

{corpora}

{non_commercial} are for non-commercial use, share-alike; so are these weights.

**No corpus here has face, voice and words of one person under {count} emotions at scale.** The fusion was trained on
*class-paired* clips: a voice, words and a face of the same emotion from different people, with damage, missing
modalities, partners that say nothing and partners that contradict. One in five of its clips is of one modality alone,
with the labels as frequent as in their corpora; there the encoders' own heads teach what it says. One in four of the
others has modalities of different emotions and no truth: it is taught what they come to together, each by its precision
(squared). alpha is trained to be each modality's expected share of what they know of the truth, sigma^2 to tell each
one's own expected Brier error; a monotone map for each modality, fitted on validation items, holds it to that scale.
What is unlike the training features (Mahalanobis distance) raises the epistemic part. The answer is never surer than
the modalities that give it, taken together as independent witnesses; those that contradict each other are not. Where
two contradict each other and no third is heard, the one with the smaller sigma^2 is followed. Who feels something need
not show it everywhere, so of a neutral reading's lead a share does not count beside other modalities: half of what the
partners that say nothing make of it, chosen by the Brier score of mixed validation clips (`neutral_discount` in the
weights). Test clips are paired the same way from test items. The one table on really joint clips says so.

Speakers never cross a split: {ravdess} actors {validation} validate, {test} test. {own_splits} keep
their own splits; training faces with a near copy elsewhere and training sentences that stand in a validation or test
split are left out.

## Figures

Every table comes from the command named under it, on test items, after all choices were made on validation items.
"""

LIMITS = """
## Limits

- Voices: the first speech encoder has heard {heard};
  the second also {heard_too}.
  They act, and {ravdess}'s say {sentences} sentences. Children, whispering, real shouting, other languages and
  spontaneous speech are outside what either heard: nothing is known of how it does there but the figures on corpora
  that were left out.
- Faces: grey web pictures with far more happy and neutral faces than disgusted and fearful ones, and no film: of the
  joint clips in which an actor speaks, most sad, fearful and surprised faces are called neutral, and surely.
- Words: English only; the recogniser (Whisper tiny.en) makes mistakes with accents and noise.
- Pairing strangers teaches which modality to trust, not how one person's face and voice go together.
- The share of each gender, age and skin colour in the face pictures is unknown, so fairness cannot be claimed.
"""


def table(columns: list[str], rows: list[list]) -> str:
    """A Markdown table; numbers to three places."""

    def cell(value) -> str:
        if value is None:
            return "-"
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(cell(v) for v in row) + " |" for row in rows)])


def corpora_table(corpora: list[dict]) -> str:
    """What each part of the model learned from, and on what terms."""
    rows = [
        [part.made_of, *("; ".join(said) for said in zip(*of, strict=True))]
        for key, part in SHIPPED_PARTS.items()
        if (
            of := [
                (f"{c['name']}: {c['parts'][key]}", f"{c['name']}: {c['licence']}")
                for c in corpora
                if key in c["parts"]
            ]
        )
    ]
    return table(["part", "learned from", "licence"], rows)


def non_commercial(corpora: list[dict]) -> str:
    """The names of those whose licence is for non-commercial use, as one says them in a row."""
    return in_a_row([corpus["name"] for corpus in corpora if "-NC" in corpus["licence"]])


def in_a_row(names: list[str], word: str = "and") -> str:
    """ "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def count_of(labels: list[str]) -> str:
    """How many there are, in a word where there is one."""
    return dict(enumerate(COUNTS, 2)).get(len(labels), str(len(labels)))


def front_matter(corpora: list[dict]) -> str:
    """What the Hugging Face Hub reads of a card: a block of YAML before everything else."""
    from huggingface_hub import ModelCardData

    known = [getattr(ALL[corpus["name"]], "HUB", None) for corpus in corpora]
    data = ModelCardData(
        language=["en"],
        license=LICENCE_ID,
        library_name=model_hub.LIBRARY,
        pipeline_tag=TASK_ID,
        tags=[*model_hub.TAGS, "speech-emotion-recognition", "facial-expression-recognition", "uncertainty"],
        datasets=[name for name in known if name],
        metrics=[*METRIC_IDS],
    )
    return f"---\n{data.to_yaml(line_break=chr(10))}\n---\n\n"


def head(labels: list[str], corpora: list[dict]) -> str:
    """What stands before the figures."""
    return HEAD.format(
        count=count_of(labels),
        labels=in_a_row(labels, "or"),
        corpora=corpora_table(corpora),
        non_commercial=non_commercial(corpora),
        ravdess=ravdess.NAME,
        validation=in_a_row(ravdess.actors("validation")),
        test=in_a_row(ravdess.actors("test")),
        own_splits=in_a_row([corpus.NAME for corpus in (fer, goemotions, meld)]),
    )


def limits(corpora: list[dict]) -> str:
    """What stands after the figures."""
    first, second = (
        [f"{c['name']} ({c['content']})" for c in corpora if part in c["parts"]] for part in ("speech", "whisper")
    )
    return LIMITS.format(
        heard=in_a_row(first),
        heard_too=in_a_row([voices for voices in second if voices not in first]),
        ravdess=ravdess.NAME,
        sentences=count_of([*ravdess.SENTENCES]),
    )


def write_corpora(folder: Path) -> list[dict]:
    """Write what the weights in ``folder`` were made from beside them, for the page."""
    corpora = described()
    write_whole(folder / CORPORA_FILE, json.dumps(corpora, indent=1, ensure_ascii=False) + "\n")
    return corpora


def rewrite(folder: Path) -> dict[str, int]:
    """The stage ``card``: the card and the list of corpora in ``folder``, from the figures measured before."""
    write(json.loads((folder / MEASURED_FILE).read_text()), folder / CARD_FILE)
    return {"corpora": len(described())}


def write(report: dict, path: Path) -> None:
    """Write the card with every table of ``report``, and the list of corpora beside it."""
    corpora = write_corpora(path.parent)
    parts = [front_matter(corpora) + head(report["confusion"]["labels"], corpora)]
    for part in report["tables"]:
        parts.append(
            f"### {part['title']}\n\n{table(part['columns'], part['rows'])}\n\n{part['note']}\n\n`{part['command']}`\n"
        )
    confusion = report["confusion"]
    rows = [[label, *row] for label, row in zip(confusion["labels"], confusion["matrix"], strict=True)]
    columns = ["true, down; said, across", *confusion["labels"]]
    parts.append(f"### Confusion: {confusion['title']}\n\n{table(columns, rows)}\n\n`{report['generated_by']}`\n")
    path.write_text("\n".join(parts) + limits(corpora))
