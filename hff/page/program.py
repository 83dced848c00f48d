"""The page as a program: the options of `python app.py` and `hff demo`, from the start to the last line."""

from __future__ import annotations

import argparse
import atexit
import faulthandler
import logging
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hff import quiet
from hff.config import SPEECH_ENCODERS
from hff.locale import languages

if TYPE_CHECKING:
    from hff.page.door.public_place import PublicPlace

_last: list[str] = []  # folders to be removed when nothing can look for them any more
SPACES = "https://huggingface.co"  # shows a Space's page within its own


def parse(arguments: list[str] | None = None, program: str = "python app.py") -> argparse.Namespace:
    """Options of the page. Where somebody else starts it (a container, a Space), Gradio's variables say where."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Serves the demo page: emotion from voice, words and face, and how much each one counts. "
        "Everything runs on this machine; nothing is downloaded or sent (but for --share), and "
        "uploads are deleted with the visit.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_machine(parser)
    _add_capture(parser)
    _add_visitors(parser)
    _add_habits(parser)
    return parser.parse_args(arguments)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    """Where it listens, and what the model runs on."""
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1",
        help="address to listen on; 0.0.0.0 for the whole network",
    )
    parser.add_argument(
        "--port", type=port, default=os.environ.get("GRADIO_SERVER_PORT") or "7860", help="port to listen on"
    )
    parser.add_argument(
        "--root-path",
        metavar="PATH",
        type=place,
        default=os.environ.get("GRADIO_ROOT_PATH") or None,
        help="where visitors find the page if a proxy has put it under a path of its site: /hff, or "
        "https://school.example/hff if the proxy does not say under which name it was asked",
    )
    parser.add_argument("--device", default="auto", help="where the model runs: auto, cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--speech-encoder",
        choices=SPEECH_ENCODERS,
        help="what hears the voice: the paper's network (mfcc-cnn), or one on Whisper's first layers; if not given, "
        "whisper where its weights are there",
    )


def _add_capture(parser: argparse.ArgumentParser) -> None:
    """Whose camera and microphone the Live view watches."""
    parser.add_argument(
        "--capture",
        choices=("browser", "native"),
        default="browser",
        help="whose camera and microphone the Live view watches: each visitor's, or this computer's own",
    )
    parser.add_argument("--camera", type=int, metavar="N", help="camera of native capture, a number of --list-devices")
    parser.add_argument("--microphone", type=int, metavar="N", help="microphone of native capture, likewise")
    parser.add_argument("--list-devices", action="store_true", help="show this computer's cameras and microphones")


def _add_visitors(parser: argparse.ArgumentParser) -> None:
    """Who may come in, and with how much."""
    parser.add_argument(
        "--share",
        action="store_true",
        help="open a public address: downloads Gradio's tunnel, and what visitors send passes through Gradio's servers",
    )
    parser.add_argument(
        "--password",
        metavar="WORD",
        type=word,
        default=argparse.SUPPRESS,
        help="asked of every visitor; set as HFF_PASSWORD in the environment, no list of processes shows it",
    )
    parser.add_argument(
        "--allow-origin",
        metavar="ADDRESS",
        type=origin,
        action="append",
        default=[],
        help="another site whose pages may use this one, or a name under which this page is reached besides --host "
        "and localhost, as https://name:port; may be given several times",
    )
    parser.add_argument(
        "--max-file-size",
        type=file_size,
        default="1GB",
        metavar="SIZE",
        help="largest upload that is taken, as in 300MB",
    )


def _add_habits(parser: argparse.ArgumentParser) -> None:
    """How the page does what it does: words, certificate, language, log."""
    parser.add_argument(
        "--mcp",
        action="store_true",
        default=os.environ.get("GRADIO_MCP_SERVER", "").lower() == "true",
        help="also serve the page's named actions as tools of the Model Context Protocol, for assistants that call "
        "programs; needs hff[mcp]",
    )
    parser.add_argument("--no-transcribe", action="store_true", help="never recognise words; typed words still count")
    parser.add_argument(
        "--ssl-certfile", metavar="FILE", help="certificate; browsers give other machines a camera only over https"
    )
    parser.add_argument("--ssl-keyfile", metavar="FILE", help="the certificate's private key")
    parser.add_argument(
        "--language",
        choices=languages(),
        default=languages()[0],
        help="of the page at its plain address; a browser that prefers another one of these is led to the page in that",
    )
    parser.add_argument(
        "--log-level", default="warning", choices=("debug", "info", "warning", "error"), help="how much is logged"
    )


def port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; use 1 to 65535")
    return number


def word(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty; leave the option out for a page without a password")
    return text


def place(text: str) -> PublicPlace:
    from hff.errors import HFFError
    from hff.page.door.public_place import PublicPlace

    try:
        return PublicPlace.of(text)
    except HFFError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def origin(text: str) -> str:
    from hff.errors import HFFError
    from hff.page.door.host_names import origin_of

    try:
        return origin_of(text)
    except HFFError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def sites(allowed: list[str]) -> dict[str, tuple[str, ...]]:
    """Other sites that may use this page, and that may show it; a Space's page goes by the Space's own name."""
    space = os.environ.get("SPACE_HOST")
    if not space:
        return {"origins": tuple(allowed), "frames": ()}
    return {"origins": (*allowed, f"https://{space}"), "frames": (SPACES,)}


def file_size(text: str) -> int:
    """Bytes from "300MB" or "1.5 GB"."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?)\s*(kB|MB|GB)", text.strip(), re.IGNORECASE)
    number = int(float(found[1]) * 1024 ** (1 + ["kb", "mb", "gb"].index(found[2].lower()))) if found else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; use for example 300MB or 2GB")
    return number


def main(arguments: list[str] | None = None, program: str = "python app.py") -> int:
    """Serve the page until somebody ends it; the exit status."""
    options = parse(arguments, program)
    _without_reloading()
    _place_for_fonts()
    quiet.programs()
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(name)s %(levelname)s: %(message)s")
    if options.list_devices:
        from hff.media.capture import describe_devices

        print(describe_devices())
        return 0
    from hff.page.door.public_place import NO_PROXY
    from hff.page.serve import Options, run

    return run(
        Options(
            host=options.host,
            port=options.port,
            device=options.device,
            share=options.share,
            transcribe=not options.no_transcribe,
            certificate=options.ssl_certfile,
            key=options.ssl_keyfile,
            speech_encoder=options.speech_encoder,
            native=options.capture == "native",
            camera=options.camera,
            microphone=options.microphone,
            place=options.root_path or NO_PROXY,
            tools=options.mcp,
            password=getattr(options, "password", None) or os.environ.get("HFF_PASSWORD"),
            max_file_size=options.max_file_size,
            language=options.language,
            **sites(options.allow_origin),
        )
    )


def _without_reloading() -> None:
    """Keep Gradio from running the program again, within itself, whenever a file changes.

    ``gradio app.py`` and a Space ask for that. It would put one page of several in place, without its door.
    """
    if os.environ.pop("GRADIO_WATCH_DIRS", ""):
        print("hff: this page is not reloaded when a file changes; start it again.", file=sys.stderr)
    if os.environ.get("SYSTEM") == "spaces":
        del os.environ["SYSTEM"]


def _place_for_fonts() -> None:
    """Without a home, as in many a container, matplotlib would complain that it has no place for its list of fonts."""
    try:
        at_home = os.access(Path.home(), os.W_OK)
    except RuntimeError:  # a user whom the system does not know
        at_home = False
    if not at_home and "MPLCONFIGDIR" not in os.environ:
        # Named so that the next server removes what a killed one has left.
        os.environ["MPLCONFIGDIR"] = folder = tempfile.mkdtemp(prefix="hff-page-")
        _last.append(folder)


def leave(status: int) -> NoReturn:
    """End at once, once everything is tidied: the interpreter's own end aborts under a thread that is still loading
    the model or reading a clip.
    """
    from hff.page.serve import END_SECONDS

    faulthandler.dump_traceback_later(END_SECONDS, exit=True)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    for folder in _last:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(status)
