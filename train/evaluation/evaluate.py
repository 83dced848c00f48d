"""Every figure of the model card, on test items: ``python -m train evaluate --data DIR --out DIR``.

Writes ``metrics.json`` (which the page's Model view reads) and ``MODEL_CARD.md``'s tables beside the weights.
Test items are met here only; all choices were made on validation items.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from sklearn.metrics import confusion_matrix

from hff import weights
from hff.config import SPEECH_ENCODERS
from hff.model.hff import HFF
from hff.pipeline import analyzer as analysis
from train.corpora import fer, goemotions, meld, ravdess
from train.corpora.base import Utterance
from train.encoders import speech, text, vision
from train.engine.progress import progress
from train.evaluation import by_group, model_card, robustness, truth
from train.evaluation import unimodal as alone
from train.evaluation.floors import FLOORS
from train.evaluation.joint import evaluate_joint
from train.evaluation.robustness import (
    COMMAND,
    CORRUPTION,
    SEED,
    Pairs,
    accuracy_and_f1,
    broken_table,
    probabilities,
    shapley_table,
    subsets_table,
    targets,
    uncertainty_table,
)
from train.evaluation.shipped_parts import SHIPPED_PARTS, ear
from train.fusion.feature_files import folder_of
from train.fusion.pairing import CLEAN, Mix, PairedClips
from train.fusion.training import fixed_clips
from train.metrics import entropy_auroc, expected_calibration_error, reliability


def run(data: Path, out: Path, device: torch.device) -> dict:
    """Measure everything and write it beside the weights in ``out / "weights"``."""
    folder = out / "weights"
    analyzer = analysis.Analyzer(str(device), folder)
    report: dict = {"generated_by": COMMAND, "seed": SEED, "tables": []}
    report["tables"] += [*encoders_tables(analyzer, data), *by_group.tables(analyzer.encoders, data, device)]
    report["tables"].append(alone_table(analyzer, data))
    features = folder_of(out, analyzer.config.speech_encoder)
    pairs = {split: PairedClips(features, split, analyzer.config.labels) for split in CORRUPTION}
    report |= fusion_report(analyzer.model, pairs, device, report["tables"])
    report["tables"] += truth.tables(analyzer.model, features, device)
    if (folder / "fusion-whisper.safetensors").exists():
        report["tables"].append(speech_encoders_table(data, out, device))
    joint = evaluate_joint(analyzer, data)
    if joint is not None:
        report["tables"].append(joint["table"])
        report["joint_clips"] = joint["clips"]
    report["tables"] += other_tables(folder / weights.MEASURED_FILE)
    (folder / weights.MEASURED_FILE).write_text(json.dumps(report, indent=1) + "\n")
    model_card.write(report, folder / weights.CARD_FILE)
    return {table["title"]: table["rows"] for table in report["tables"]}


def other_tables(path: Path) -> list[dict]:
    """What other commands (compare, ablate) have measured and left there."""
    tables = json.loads(path.read_text())["tables"] if path.exists() else []
    return [table for table in tables if table["command"] != COMMAND]


def _test_voices(data: Path) -> list[Utterance]:
    return [u for u in ravdess.load(data) if u.split == "test"]


def encoders_tables(analyzer: analysis.Analyzer, data: Path) -> list[dict]:
    """Each encoder alone, with its own head, on its own corpus' test items; the voices by gender too."""
    encoders, device, config = analyzer.encoders, analyzer.device, analyzer.config
    voices = [(u, speech.voiced_spans(u)) for u in progress(_test_voices(data), "evaluate: finding voices")]
    recall = speech.unweighted_recall(encoders.speech, voices)
    faces = fer.load(data)
    held = faces.splits == "test"
    guess = vision.predict(encoders.vision, faces.images[held], device).argmax(1)
    sentences = [s for s in text.load(data) if s.split == "test"]
    words = text.scores(sentences, text.predict(encoders.text, [s.text for s in sentences], device))
    texts = {name: sum(s.corpus == name for s in sentences) for name in ("goemotions", "meld")}
    alone = {
        "title": "Each encoder alone, on held-out people and items",
        "note": "Test items that neither training nor any choice has met.",
        "command": COMMAND,
        "columns": ["encoder", "test items", "measure", "value", "floor", "number of items"],
        "rows": [
            [
                ear(config.speech_encoder).name,
                f"{ravdess.NAME} {ravdess.TEST}, {len(config.labels)} classes",
                "unweighted recall",
                recall,
                FLOORS[config.speech_encoder],
                len(voices),
            ],
            [
                SHIPPED_PARTS["vision"].name,
                f"{fer.NAME} {fer.TEST}",
                "accuracy",
                float((guess == faces.labels[held]).mean()),
                FLOORS["vision"],
                int(held.sum()),
            ],
            [
                SHIPPED_PARTS["text"].name,
                f"{goemotions.NAME} {goemotions.TEST}",
                "macro F1",
                words.get("goemotions_macro_f1"),
                FLOORS["goemotions_macro_f1"],
                texts["goemotions"],
            ],
            [
                SHIPPED_PARTS["text"].name,
                f"{meld.NAME} {meld.TEST}",
                "weighted F1",
                words.get("meld_weighted_f1"),
                FLOORS["meld_weighted_f1"],
                texts["meld"],
            ],
        ],
    }
    by_gender = {
        name: [(u, windows) for u, windows in voices if ravdess.is_man(u.speaker) == men]
        for name, men in (("men", True), ("women", False))
    }
    return [
        alone,
        {
            "title": "The speech encoder by the speaker's gender",
            "note": "Two actors each, so a difference of some points may be chance.",
            "command": COMMAND,
            "columns": ["speakers", "recordings", "unweighted recall"],
            "rows": [
                [name, len(part), speech.unweighted_recall(encoders.speech, part)] for name, part in by_gender.items()
            ],
        },
    ]


def alone_table(analyzer: analysis.Analyzer, data: Path) -> dict:
    """What the app says of a voice, a face or a sentence on its own."""
    rows = alone.rows(analyzer, data)
    for other in SPEECH_ENCODERS:
        trained = all(weights.part_path(analyzer.folder, part, other).exists() for part in ("speech", "fusion"))
        if other != analyzer.config.speech_encoder and trained:
            model = analysis.Analyzer(str(analyzer.device), analyzer.folder, other)
            rows[1:1] = alone.rows(model, data, voice_only=True)
    return {
        "title": "Each modality alone, through the whole model",
        "note": "What the app says of one modality on its own, and what that encoder's own head says: the fusion must "
        "not lose what its encoders know. Items as frequent as in their corpora. ECE is the whole model's.",
        "command": COMMAND,
        "columns": ["modality", "items", "measure", "whole model", "encoder's head", "floor", "ECE", "number of items"],
        "rows": rows,
    }


def speech_encoders_table(data: Path, out: Path, device: torch.device) -> dict:
    """The paper's speech encoder and the second one, alone and in the fusion."""
    voices = [(u, speech.voiced_spans(u)) for u in ravdess.load(data) if u.split == "test"]
    rows = []
    for name in SPEECH_ENCODERS:
        model = analysis.Analyzer(str(device), out / "weights", name)
        recall = speech.unweighted_recall(model.encoders.speech, voices)
        pairs = PairedClips(folder_of(out, name), "test", model.config.labels)
        clean = fixed_clips(pairs, robustness.CLIPS, CLEAN, SEED)
        mixed = fixed_clips(pairs, robustness.CLIPS, Mix(held_out=1), SEED + 1)
        fused = [
            accuracy_and_f1(probabilities(model.model, clips, device), targets(clips))[0] for clips in (clean, mixed)
        ]
        rows.append([name, recall, FLOORS[name], *fused])
    return {
        "title": "The two speech encoders",
        "note": f"Unweighted recall on {ravdess.NAME} actors {' and '.join(ravdess.actors('test'))}; accuracy of each "
        "one's own fusion on class-paired test clips, clean and mixed. `python app.py --speech-encoder` chooses.",
        "command": COMMAND,
        "columns": ["speech encoder", "unweighted recall, voice alone", "floor", "fusion, clean", "fusion, mixed"],
        "rows": rows,
    }


def fusion_report(model: HFF, pairs: Pairs, device: torch.device, tables: list[dict]) -> dict:
    """Subsets, corruption, uncertainty and calibration on class-paired test clips."""
    tables += [make(model, pairs, device) for make in (subsets_table, broken_table, uncertainty_table, shapley_table)]
    clips = {"clean": fixed_clips(pairs["test"], robustness.CLIPS, CLEAN, SEED)}
    for split, kinds in CORRUPTION.items():
        clips[f"mixed, {kinds}"] = fixed_clips(pairs[split], robustness.CLIPS, Mix(held_out=1), SEED + 1)
    found = {name: (probabilities(model, part, device), targets(part)) for name, part in clips.items()}
    tables.append(
        {
            "title": "Calibration",
            "note": "ECE is the mean gap between what the model says it knows and how often it is right; mixed clips "
            "are damaged, incomplete and contradictory in the proportions of training.",
            "command": COMMAND,
            "columns": ["clips", "accuracy", "macro F1", "ECE", "AUROC of entropy for a wrong answer"],
            "rows": [
                [name, *accuracy_and_f1(p, target), expected_calibration_error(p, target), entropy_auroc(p, target)]
                for name, (p, target) in found.items()
            ],
        }
    )
    p, target = found["clean"]
    return {
        "confusion": {
            "title": "Class-paired test clips, clean, all three modalities",
            "labels": list(model.config.labels),
            "matrix": confusion_matrix(target, p.argmax(1), labels=range(len(model.config.labels))).tolist(),
        },
        "reliability": reliability(*found[f"mixed, {CORRUPTION['test']}"]),
    }
