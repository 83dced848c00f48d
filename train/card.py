"""The model card: what the measured tables say, around text that says what they are about."""

from __future__ import annotations

from pathlib import Path

HEAD = """# Model card: HFF, seven emotions

Reads neutral, happy, sad, angry, fearful, disgusted or surprised from voice, words and face, and says how much each
counted (alpha) and how unsure it was of each (sigma^2). Made for teaching how multimodal fusion works.

**Not for decisions about people.** The voices are acted, the faces are pictures that strangers labelled, the words are
comments and television lines: the model knows how emotion is *shown* there, not what anybody feels. Do not use it
to judge pupils, applicants, patients, employees or anybody else.

## Training data and licences

| part | learned from | licence |
|---|---|---|
| speech (MFCC and CNN) | RAVDESS actors 02-14, EmoDB (four classes) | CC BY-NC-SA 4.0; free |
| speech, the second encoder (Whisper tiny.en's states and a small network) | the same; Whisper's weights are MIT | \
as above |
| vision (ResNet-18) | FER2013 training faces with FER+ votes, less one in eight; muxspace | research use; MIT; \
Apache-2.0 |
| text (BERT, fine-tuned) | GoEmotions, MELD (five sixths of each), EmoryNLP, DailyDialog, ISEAR, dair-ai | \
CC BY 4.0; GPL-3.0; Apache-2.0; CC BY-NC-SA 4.0; CC BY-NC-SA 3.0; research use |
| fusion | what the encoders did not learn from: RAVDESS actors 15-17, held-out faces and sentences (three voices in \
ten, and faces of rare emotions, are the encoders' own) | as above |

RAVDESS, DailyDialog and ISEAR are for non-commercial use, share-alike; so are these weights.

**No corpus here has face, voice and words of one person under seven emotions at scale.** The fusion was trained on
*class-paired* clips: a voice, words and a face of the same emotion from different people, with damage, missing
modalities, partners that say nothing and partners that contradict. One in five of its clips is of one modality alone,
with the labels as frequent as in their corpora; there the encoders' own heads teach what it says. One in four of the
others has modalities of different emotions and no truth: it is taught what they come to together, each by its precision
(squared). alpha is trained to be each modality's expected share of what they know of the truth, sigma^2 to tell each
one's own expected Brier error; a monotone map for each modality, fitted on validation items, holds it to that scale.
What is unlike the training features (Mahalanobis distance) raises the epistemic part. The answer is never surer than
the modalities that give it, taken together as independent witnesses; those that contradict each other are not. Test
clips are paired the same way from test items. The one table on really joint clips says so.

Speakers never cross a split: RAVDESS actors 18-19 validate, 01 and 20-22 test. FER2013, GoEmotions and MELD keep
their own splits; training faces with a near copy elsewhere and training sentences that stand in a validation or test
split are left out.

## Figures

Every table comes from the command named under it, on test items, after all choices were made on validation items.
"""

LIMITS = """
## Limits

- Voices: two English sentences by 24 North American actors, and German actors; other languages, children and
  spontaneous speech are outside what it heard.
- Faces: grey web pictures with far more happy and neutral faces than disgusted and fearful ones.
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


def write(report: dict, path: Path) -> None:
    """Write the card with every table of ``report``."""
    parts = [HEAD]
    for part in report["tables"]:
        parts.append(
            f"### {part['title']}\n\n{table(part['columns'], part['rows'])}\n\n{part['note']}\n\n`{part['command']}`\n"
        )
    confusion = report["confusion"]
    rows = [[label, *row] for label, row in zip(confusion["labels"], confusion["matrix"], strict=True)]
    columns = ["true, down; said, across", *confusion["labels"]]
    parts.append(f"### Confusion: {confusion['title']}\n\n{table(columns, rows)}\n\n`{report['generated_by']}`\n")
    path.write_text("\n".join(parts) + LIMITS)
