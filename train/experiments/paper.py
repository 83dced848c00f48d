"""The paper's tables 2 to 5 on whatever of its data is there, beside the paper's own figures.

    python -m train paper --data DIR --out DIR                 # every corpus that is found under DIR
    python -m train paper --data DIR --out DIR --corpora iemocap --seeds 5 --tries 6

Writes ``OUT/paper.md`` and ``OUT/paper.html``. Table 2 is made of CMU-MOSEI (and of CMU-MOSI), table 3 of IEMOCAP (and
of MELD), tables 4 and 5 of all; a corpus of words alone has table 4's column T. Every cell is a mean over seeds, and
what HFF is ahead or behind is told by a paired bootstrap over dialogues and seeds. What is trained is kept, so a killed
command goes on where it stopped, and corpora can be added later.
"""

from __future__ import annotations

import argparse
import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hff.config import MODALITIES
from hff.errors import InputError
from hff.locale import say
from train.corpora.base import CorpusError
from train.corpora.conversation import DialogueSet
from train.engine.whole_files import write_whole
from train.evaluation import model_card
from train.experiments.ablate import HEAD_COUNTS, SUBSETS, SWITCHES
from train.experiments.benchmark import bench_data
from train.experiments.benchmark.benchmark import bench_of, evaluate, models, recipe_from
from train.experiments.benchmark.jobs import Bench
from train.experiments.benchmark.results import Found, cell
from train.experiments.benchmark.tasks import Emotions

SENTIMENT, EMOTION = ("mosei", "mosi"), ("iemocap", "meld")
LETTERS = {"speech": "S", "text": "T", "vision": "V"}
SPEAKERS_TOLD_APART = {"iemocap": 2, "meld": 9}  # of a dialogue; videos of opinions have one each
# In which of its layouts a corpus is looked for, first those with all modalities.
LAYOUTS = {"iemocap": ("iemocap", "iemocap-raw"), "meld": ("meld-raw", "meld")}

# What the paper reports, in percent.
TABLE_2 = {
    "TFN": (50.2, 82.5),
    "ICCN": (51.6, 84.2),
    "MFM": (51.3, 84.4),
    "LMF": (48.0, 82.0),
    "HFF": (52.8, 84.6),
}  # ACC-7, ACC-2
TABLE_3 = {
    "TFN": (33.7, 68.6, 55.1, 64.2, 62.4, 61.2, 58.8, 58.5),
    "MFN": (34.1, 70.5, 52.1, 66.8, 62.1, 62.5, 60.1, 59.9),
    "DialogueRNN": (32.8, 78.0, 59.1, 63.3, 73.6, 59.4, 63.3, 62.8),
    "DialogueGCN": (42.7, 84.5, 63.5, 64.1, 63.1, 66.9, 65.2, 64.2),
    "COGMEN": (51.9, 81.7, 68.6, 66.0, 75.3, 58.2, 68.2, 67.6),
    "HFF": (51.0, 81.4, 71.0, 67.0, 75.8, 62.4, 69.2, 69.7),
}  # F1 of happy, sad, neutral, angry, excited, frustrated; accuracy, weighted F1
TABLE_4 = {
    "HFF": (62.8, 65.5, 60.4, 67.6, 66.2, 68.1, 69.7),
    "HFF without attention": (60.2, 63.7, 57.5, 64.6, 63.2, 65.4, 65.9),
    "HFF without dynamic weighting": (61.3, 64.3, 58.3, 65.4, 64.0, 66.2, 67.5),
    "HFF without temporal modelling": (61.5, 65.0, 59.8, 66.8, 65.5, 67.2, 67.5),
    "HFF without cross-modal alignment": (61.7, 64.8, 58.5, 66.3, 64.9, 67.0, 68.5),
}  # weighted F1 on IEMOCAP by ``SUBSETS``
TABLE_5 = {
    4: {"mosei": (81.3, 80.7), "iemocap": (67.6, 66.3)},
    6: {"mosei": (82.0, 81.3), "iemocap": (68.2, 67.1)},
    8: {"mosei": (84.4, 82.3), "iemocap": (69.0, 69.5)},
    10: {"mosei": (83.0, 82.1), "iemocap": (68.9, 69.2)},
}  # accuracy, weighted F1


@dataclass
class PaperTable:
    """One of the page's tables."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        return "\n\n".join([f"## {self.title}", model_card.table(self.columns, self.rows), *self.notes])

    def html(self) -> str:
        cells = [f"<tr>{''.join(f'<th>{html.escape(name)}</th>' for name in self.columns)}</tr>"]
        cells += [f"<tr>{''.join(f'<td>{html.escape(value)}</td>' for value in row)}</tr>" for row in self.rows]
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f"<h2>{html.escape(self.title)}</h2>\n<table>\n{chr(10).join(cells)}\n</table>\n{notes}"


@dataclass
class PaperCorpus:
    """One corpus of the page, and what it takes to train on it."""

    key: str
    found: DialogueSet
    options: argparse.Namespace

    @property
    def modalities(self) -> tuple[str, ...]:
        first = self.found.splits["train"][0]
        return tuple(m for m in MODALITIES if m in first.features or (m == "text" and first.texts))

    def bench(self, keep: Sequence[str]) -> Bench:
        cache = self.options.out / "benchmark" / "text"
        data = bench_data.prepare(self.found, self.options.text, tuple(keep), cache, self.options.device)
        return bench_of(data, recipe_from(self.options, data), self.options)

    def scored(self, names: str, keep: Sequence[str]) -> tuple[Bench, Found]:
        """What models say of the test part, or of validation where there is none."""
        bench = self.bench(keep)
        part = "test" if "test" in bench.data.dialogues.splits else "validation"
        alone = isinstance(bench.task, Emotions) or part == "validation"
        return bench, evaluate(bench, models(names), ("train",) if alone else ("train", "validation"), part)


def run(options: argparse.Namespace) -> dict[str, str]:
    """The stage: writes the page; returns where it is."""
    corpora = list(_found(options))
    if not corpora:
        raise InputError(say("benchmark.none_found", corpora=", ".join(_asked(options)), folder=options.data))
    tables: list[PaperTable] = []
    for table in _tables(corpora):
        tables.append(table)
        print(f"\n{table.markdown()}", flush=True)
        _write(options, corpora, tables)  # a killed command leaves what it has made
    return {"page": str(options.out / "paper.md")}


def _asked(options: argparse.Namespace) -> list[str]:
    known = [*SENTIMENT, *EMOTION]
    asked = known if options.corpora == "all" else [name.strip() for name in options.corpora.split(",")]
    if unknown := sorted(set(asked) - set(known)):
        raise InputError(say("benchmark.no_corpus", unknown=", ".join(unknown), known=", ".join(known)))
    return asked


def _found(options: argparse.Namespace) -> Iterator[PaperCorpus]:
    for key in _asked(options):
        own = argparse.Namespace(**vars(options) | {"speakers": SPEAKERS_TOLD_APART.get(key, 0)})
        missing: list[CorpusError] = []
        for name in LAYOUTS.get(key, (key,)):
            try:
                cache = options.out / "benchmark" / "features"
                yield PaperCorpus(key, bench_data.read(name, None, options.data, cache, options.device), own)
                break
            except CorpusError as error:
                missing.append(error)
        else:
            print(f"note: goes on without {missing[0]}", flush=True)


def _tables(corpora: Sequence[PaperCorpus]) -> Iterator[PaperTable]:
    for corpus in corpora:
        yield table_2(corpus) if corpus.key in SENTIMENT else table_3(corpus)
    for corpus in corpora:
        yield table_4(corpus)
    yield table_5(corpora)


def table_2(corpus: PaperCorpus) -> PaperTable:
    """Sentiment: ACC-7 and ACC-2 of HFF and its rivals."""
    bench, found = corpus.scored(",".join(TABLE_2), corpus.modalities)
    scores = found.figures(bench.task)
    keys = [key for key in ("ACC-7", "accuracy", "accuracy with zero", "MAE", "correlation") if key in scores["HFF"][0]]
    rows = []
    for model, theirs in TABLE_2.items():
        paper = dict(zip(("ACC-7", "accuracy"), theirs, strict=True)) if corpus.key == "mosei" else {}
        cells = [_beside(cell(key, [one[key] for one in scores[model]]), paper.get(key)) for key in keys]
        rows.append([model, *cells])
    shown = [{"accuracy": "ACC-2", "accuracy with zero": "ACC-2 with zero"}.get(key, key) for key in keys]
    return PaperTable(f"Table 2: {corpus.found.name}", ["model", *shown], rows, _notes(corpus, bench, found))


def table_3(corpus: PaperCorpus) -> PaperTable:
    """Emotions: F1 of each, accuracy and weighted F1 of HFF and its rivals."""
    bench, found = corpus.scored(",".join(TABLE_3), corpus.modalities)
    scores = found.figures(bench.task)
    keys = [*(f"F1 {name}" for name in bench.task.names), "accuracy", "weighted F1"]
    rows = []
    for model, theirs in TABLE_3.items():
        paper = theirs if corpus.key == "iemocap" else [None] * len(keys)
        cells = [_beside(cell(k, [one[k] for one in scores[model]]), p) for k, p in zip(keys, paper, strict=True)]
        rows.append([model, *cells])
    return PaperTable(f"Table 3: {corpus.found.name}", ["model", *keys], rows, _notes(corpus, bench, found))


def table_4(corpus: PaperCorpus) -> PaperTable:
    """HFF without each of its parts, for every subset of the modalities that the corpus has."""
    subsets = [keep for keep in SUBSETS if set(keep) <= set(corpus.modalities)]
    names = ["HFF", *(f"HFF {name}" for name in SWITCHES)]
    rows: dict[str, list[str]] = {name: [] for name in names}
    notes: list[str] = []
    for keep in subsets:
        bench, found = corpus.scored(",".join(names), keep)
        scores = found.figures(bench.task)
        for name in names:
            paper = TABLE_4[name][SUBSETS.index(keep)] if corpus.key == "iemocap" else None
            measured = cell(bench.task.headline, [one[bench.task.headline] for one in scores[name]])
            rows[name].append(_beside(measured, paper))
        notes = _notes(corpus, bench, found)  # of the last subset, which is all modalities
    columns = ["model", *("+".join(LETTERS[m] for m in keep) for keep in subsets)]
    title = f"Table 4: {corpus.found.name}, {bench.task.headline}"
    return PaperTable(title, columns, [[name, *cells] for name, cells in rows.items()], notes)


def table_5(corpora: Sequence[PaperCorpus]) -> PaperTable:
    """Numbers of attention heads."""
    columns, rows, notes = ["heads"], {heads: [str(heads)] for heads in HEAD_COUNTS}, []
    for corpus in corpora:
        names = [f"HFF {heads} heads" for heads in HEAD_COUNTS]
        bench, found = corpus.scored(",".join(names), corpus.modalities)
        scores = found.figures(bench.task)
        columns += [f"{corpus.found.name}, {key}" for key in ("accuracy", "weighted F1")]
        for heads, name in zip(HEAD_COUNTS, names, strict=True):
            paper = TABLE_5[heads].get(corpus.key, (None, None))
            rows[heads] += [
                _beside(cell(key, [one[key] for one in scores[name]]), figure)
                for key, figure in zip(("accuracy", "weighted F1"), paper, strict=True)
            ]
        notes.append(_terms(corpus, bench, found))
    return PaperTable("Table 5: attention heads", columns, list(rows.values()), notes)


def _beside(measured: str, paper: float | None) -> str:
    return measured if paper is None else f"{measured} (paper {paper})"


def _notes(corpus: PaperCorpus, bench: Bench, found: Found) -> list[str]:
    """How the table was made, and what HFF is ahead or behind."""
    over = "; ".join(f"{model} {difference}" for model, difference in found.differences(bench.task).items())
    return [_terms(corpus, bench, found), f"HFF's {bench.task.headline} over: {over}."]


def _terms(corpus: PaperCorpus, bench: Bench, found: Found) -> str:
    options, data = corpus.options, bench.data.dialogues
    counts = ", ".join(f"{count} {split}" for split, count in data.counts.items())
    parts = [
        f"{data.name}: {counts} utterances; scored on {found.part}; {bench.seeds} seeds: mean and deviation, percent",
        f"words: {bench.data.text}; settings tried for each model: {bench.tries}",
        *data.differences,
        *(str(leak) for leak in bench.leaks),
    ]
    epochs = f" --epochs {options.epochs}" if options.epochs else ""
    text = f" --text {options.text}" if options.text else ""
    command = f"python -m train paper --data DIR --out DIR --corpora {corpus.key} --seeds {bench.seeds} "
    return f"{'. '.join(parts)}. Made by: {command}--tries {bench.tries}{text}{epochs}"


def _write(options: argparse.Namespace, corpora: Sequence[PaperCorpus], tables: Sequence[PaperTable]) -> None:
    title = "HFF's tables 2 to 5, measured beside the paper's"
    lacking = [key for key in _asked(options) if key not in {corpus.key for corpus in corpora}]
    intro = f"Corpora: {', '.join(corpus.found.name for corpus in corpora)}."
    if lacking:
        intro += f" Not found, and so not here: {', '.join(lacking)}."
    options.out.mkdir(parents=True, exist_ok=True)
    write_whole(options.out / "paper.md", "\n\n".join([f"# {title}", intro, *(t.markdown() for t in tables)]) + "\n")
    style = "body{font:1rem sans-serif;margin:2rem}table{border-collapse:collapse}td,th{border:1px solid;padding:.3rem}"
    body = f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(intro)}</p>\n" + "\n".join(t.html() for t in tables)
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{style}</style>'
    write_whole(
        options.out / "paper.html", f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'
    )
