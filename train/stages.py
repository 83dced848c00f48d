"""The stages of ``python -m train``: what each runs, and the arguments it has beside the common ones.

A new stage is a function that imports its module, and a line of ``STAGES``. The function gets the parsed options
(``data``, ``out`` and ``init`` folders, ``device`` a torch.device, ``epochs``, ``seed``, and the stage's own) and
returns its figures, which are printed.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hff.config import SPEECH_ENCODERS

Options = argparse.Namespace


@dataclasses.dataclass(frozen=True)
class Stage:
    """One word of the command line."""

    run: Callable[[Options], dict[str, Any]]
    help: str
    arguments: Callable[[argparse.ArgumentParser], object] = lambda parser: None  # adds the stage's own arguments
    in_all: bool = False  # whether "all" runs it
    shared: bool = False  # whether several processes do it together (``train.parallel``); else the first one alone


def _plan(plan, options: Options):
    """The stage's plan with what was asked for on the command line."""
    if options.epochs:
        plan = dataclasses.replace(plan, epochs=options.epochs, cycles=())
    return plan if options.seed is None else dataclasses.replace(plan, seed=options.seed)


def _encoder(name: str) -> Callable[[Options], dict[str, Any]]:
    def run(options: Options) -> dict[str, Any]:
        import importlib

        from train import parallel, ship

        module = importlib.import_module(f"train.{name}")
        more = {"init": options.init / f"{name}.safetensors"} if options.init and name in ("text", "vision") else {}
        if getattr(options, "taught", False):
            more["taught"] = True
        figures = module.train(options.data, options.out, options.device, _plan(module.PLAN, options), **more)
        if parallel.leads():
            ship.encoder(name, options.out)
        return figures

    return run


def _speech_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--taught", action="store_true", help="also by what `whisper --teach` wrote (distillation)")


def _whisper(options: Options) -> dict[str, Any]:
    from train import parallel, ship, whisper

    plan = _plan(whisper.PLAN, options)
    teach = getattr(options, "teach", False)
    figures = whisper.train(options.data, options.out, options.device, plan, teach)
    if parallel.leads():
        ship.encoder("whisper", options.out, "speech-whisper")
    return figures


def _whisper_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--teach", action="store_true", help="write soft targets from other speakers' networks, for the paper's encoder"
    )


def _speech_encoders(options: Options) -> tuple[str, ...]:
    """The one asked for; "all" goes through both."""
    return (options.speech_encoder,) if hasattr(options, "speech_encoder") else SPEECH_ENCODERS


def _speech_encoder_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speech-encoder", choices=SPEECH_ENCODERS, default=SPEECH_ENCODERS[0], help="whose features of the voice"
    )


def _features(options: Options) -> dict[str, Any]:
    from train import features

    for name in _speech_encoders(options):
        features.make(options.data, options.out, options.device, speech_encoder=name)
    return {}


def _strange(options: Options) -> dict[str, Any]:
    from train import strange

    for name in _speech_encoders(options):
        strange.make(options.data, options.out, options.device, speech_encoder=name)
    return {}


def _fusion(options: Options) -> dict[str, Any]:
    from train import features, fusion

    plan = _plan(fusion.PLAN, options)
    return {
        name: fusion.train_and_ship(features.folder_of(options.out, name), options.out, options.device, plan, name)
        for name in _speech_encoders(options)
    }


def _fingerprint(options: Options) -> dict[str, Any]:
    from train import fingerprint

    return fingerprint.run(options.out, options.device)


def _evaluate(options: Options) -> dict[str, Any]:
    from train import evaluate

    return evaluate.run(options.data, options.out, options.device)


def _benchmark(options: Options) -> dict[str, Any]:
    from train import benchmark

    return benchmark.run(options)


def _benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--features", type=Path, required=True, metavar="FILE", help="a pickle of features in MMSA's layout")
    add("--cv", action="store_true", help="cross-validate over the videos of train and valid")
    add("--text", choices=("given", "bert", "both"), default="both", help="text features: those of the file, the "
        "transcripts encoded by our BERT, or both side by side (default)")  # fmt: skip
    add("--models", default="all", help="names with commas between: HFF, TFN, ... (default: all)")
    add("--seeds", type=int, default=5, help="trainings of each model (default: 5)")


def _compare(options: Options) -> dict[str, Any]:
    from train import compare

    return compare.run(options)


def _ablate(options: Options) -> dict[str, Any]:
    from train import ablate

    return ablate.run(options)


def _trial_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, help="trainings of each model (default: compare 3, ablate 2)")
    parser.add_argument("--batches", type=int, help="batches an epoch (default: 40)")
    parser.add_argument("--learning-rate", type=float, help="at the top of its schedule (default: 3e-4)")
    parser.add_argument("--threads", type=int, help="of the CPU (default: what PyTorch chooses)")


STAGES = {
    "speech": Stage(_encoder("speech"), "train the speech encoder", _speech_arguments, in_all=True, shared=True),
    "text": Stage(_encoder("text"), "train the text encoder", in_all=True, shared=True),
    "vision": Stage(_encoder("vision"), "train the vision encoder", in_all=True, shared=True),
    "whisper": Stage(
        _whisper, "train the second speech encoder, on Whisper's states", _whisper_arguments, in_all=True, shared=True
    ),
    "features": Stage(_features, "cache what the fusion learns from", _speech_encoder_argument, in_all=True),
    "strange": Stage(_strange, "cache features of what nothing was trained on", _speech_encoder_argument, in_all=True),
    "fusion": Stage(_fusion, "train the fusion and calibrate it", _speech_encoder_argument, in_all=True, shared=True),
    "evaluate": Stage(_evaluate, "measure every figure of the model card, on test data", in_all=True),
    "fingerprint": Stage(_fingerprint, "note what the weights answer to made-up inputs, for the tests", in_all=True),
    "benchmark": Stage(_benchmark, "HFF and its rivals on a file of trimodal features", _benchmark_arguments),
    "compare": Stage(_compare, "HFF and its rivals on equal terms, clean and broken", _trial_arguments),
    "ablate": Stage(_ablate, "HFF without each of its parts, for every subset of modalities", _trial_arguments),
}
