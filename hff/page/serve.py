"""Starting and stopping the page's server."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import importlib.util
import os
import secrets
import signal
import socket
import sys
import sysconfig
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hff import quiet, weights
from hff.config import HFFConfig
from hff.errors import HFFError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.locale import DEFAULT, languages, say
from hff.page.door.body_guard import BodyGuard
from hff.page.door.connections import ask_for_files, guard_connections
from hff.page.door.gate import TOOLS
from hff.page.door.host_names import Names
from hff.page.door.public_place import NO_PROXY, PublicPlace, UnderPath
from hff.page.door.uploads import MAX_FILE, Limits, Uploads
from hff.page.session.background_model import Engine, missing_library
from hff.page.session.private_folder import PrivateFolder
from hff.page.session.sessions import Sessions, Sweeper, notice_lost_pages

if TYPE_CHECKING:
    from hff.page.tools import Tools

LOOK_SECONDS = 0.25  # s between two looks whether somebody wants the page to end
END_SECONDS = 20.0  # s for tidying up; what still hangs then is told and left
_STATIC = Path(__file__).with_name("static")
_STYLES = [
    _STATIC / f"{name}.css" for name in ("style", "gradio", "explained", "side_by_side", "lab", "live", "glossary")
]


@dataclass
class Options:
    """What ``hff.page.program`` takes."""

    host: str = "127.0.0.1"
    port: int = 7860
    device: str = "auto"
    share: bool = False
    transcribe: bool = True
    certificate: str | None = None
    key: str | None = None
    speech_encoder: str | None = None  # by default ``weights.preferred_speech_encoder``
    native: bool = False  # the Live view watches this computer's own devices
    camera: int | None = None
    microphone: int | None = None
    password: str | None = None  # asked of every visitor, under whatever name
    origins: tuple[str, ...] = ()  # other sites whose pages may use this one, as https://name:port
    tools: bool = False  # the named actions also as tools of the Model Context Protocol
    frames: tuple[str, ...] = ()  # other sites that may show this page within theirs
    place: PublicPlace = NO_PROXY  # where a proxy in front has put the page
    max_file_size: int = MAX_FILE  # bytes of one upload
    language: str = DEFAULT  # of the page at /; the other languages' pages lie at /de/ and the like


class Server:
    """A running page. ``with Server(options, engine) as server: server.url`` for tests; ``run`` for people."""

    def __init__(self, options: Options, engine: Engine | None = None) -> None:
        self.options = options
        self.engine = engine or Engine(
            lambda: _load(options),
            options.transcribe,
            config=lambda: _config(options),
            speech_encoders=lambda: weights.speech_encoders(weights.folder()),
        )
        self.stop = threading.Event()
        self._guarded = False
        self._mark = secrets.token_hex(8)  # in the names that replies show for our folders
        self._wrong_passwords: dict = {}

    def __enter__(self) -> Server:
        quiet.libraries()
        self._open_folder()
        self._build_pages()
        try:
            self._launch()
        except BaseException:
            self._tidy()
            raise
        return self

    def _open_folder(self) -> None:
        """The folder of this visit, and what Gradio and uvicorn read from the environment."""
        self.folder = PrivateFolder()
        self._environment = {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "FORWARDED_ALLOW_IPS")}
        # Read by Gradio: uploads in a folder that we delete.
        os.environ["GRADIO_TEMP_DIR"] = str(self.folder.path)
        # Read by uvicorn, which would let every program of this computer say for which address it speaks, and so escape
        # the limits of one address.
        os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

    def _build_pages(self) -> None:
        """A page a language, over the same sessions, uploads and live readings."""
        from hff.page.blocks import build_page
        from hff.page.live.hub import live_hub

        self.sessions = Sessions(self.folder.path)
        options = self.options
        self.uploads = Uploads(self.folder.path, Limits.of(options.max_file_size))
        self.sweeper = Sweeper(self.sessions, self.uploads)
        self.live = live_hub(self.engine, options.native, options.camera, options.microphone)
        self.pages = {name: build_page(self.engine, self.sessions, self.live, name) for name in languages()}
        self.page = self.pages[options.language]
        self.tools = self._build_tools() if options.tools else None

    def _build_tools(self) -> Tools:
        from hff.page.tools import Tools

        return Tools(self.page)

    def _launch(self) -> None:
        """Listen, behind the gate and with the other languages' pages mounted beside the first."""
        options, alike = self.options, self._settings_of_every_page()
        sites = (*options.origins, *([options.place.site] if options.place.site else []))
        self.names = Names.of(options.host, sites, options.frames)
        self._others = {name: self._mounted(name, alike) for name in self.pages if name != options.language}
        self.page.launch(
            app_kwargs={"lifespan": self._put_layers, "middleware": self._inner_layers(options.language)},
            num_workers=0,
            server_name=options.host,
            server_port=options.port,
            root_path=options.place.path,
            share=options.share,
            prevent_thread_lock=True,
            quiet=True,
            # Gradio would give up where its own page takes over three seconds, as on a busy computer it may.
            _frontend=False,
            ssl_certfile=options.certificate,
            ssl_keyfile=options.key,
            ssl_verify=False,
            **alike,
        )
        if self.page.share_url:
            self.names.also.add(urlsplit(self.page.share_url).hostname)
        if not self._guarded:
            raise HFFError(say("serve.gradio"))
        guard_connections(self.page.server)
        notice_lost_pages(self.page.server)

    def _settings_of_every_page(self) -> dict:
        """What Gradio is told of the page in each language alike."""
        from hff.page.shared.theme import colours_css, gradio_theme

        return {
            "auth": self._right_password if self.options.password else None,
            "mcp_server": False,
            "show_error": False,
            "footer_links": [],
            "run_history": False,
            "ssr_mode": False,
            "theme": gradio_theme(),
            "css": colours_css(),
            "css_paths": _STYLES,
            "enable_monitoring": False,
            "allowed_paths": [str(EXAMPLES_FOLDER)],
            "max_file_size": self.options.max_file_size,
        }

    def _mounted(self, name: str, alike: dict):
        """Gradio's application for the page in one more language; ``Addresses`` hands it what is asked of it."""
        import gradio as gr
        from fastapi import FastAPI

        inner, root = {"middleware": self._inner_layers(name)}, self._root(name)
        parent = gr.mount_gradio_app(FastAPI(), self.pages[name], f"/{name}", app_kwargs=inner, root_path=root, **alike)
        return parent.routes[-1].app

    def _root(self, name: str) -> str:
        """The path at which a visitor finds the page in the language ``name``."""
        return self.options.place.path + ("" if name == self.options.language else f"/{name}")

    def _outer_layers(self, app, name: str) -> list[Callable]:
        """What every request to ``app``, Gradio's, passes before any code of Gradio's: the outermost first."""
        from hff.page.door.gate import Gate
        from hff.page.door.languages import LanguageChoice

        def signed_in(cookies: dict[str, str]) -> bool:
            names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
            return any(cookies.get(name) in app.tokens for name in names)

        return [
            lambda inner: Gate(
                inner,
                self.names,
                signed_in if self.options.password else None,
                self._wrong_passwords,
                self.options.language,
                self.tools is not None and name == self.options.language,
                functools.partial(self._right_password, ""),
            ),
            lambda inner: LanguageChoice(inner, name, self.options.language, languages(), self.options.place.path),
        ]

    def _inner_layers(self, name: str) -> list:
        """What every request passes last, inside Gradio's compression and what makes 500 of every error: the outermost
        first.
        """
        from starlette.middleware import Middleware

        from hff.page.door.hidden_paths import HiddenPaths
        from hff.page.door.languages import Tongue

        served = {"visit": self.folder.path, "examples": EXAMPLES_FOLDER}
        ours = Path(__file__).resolve().parents[2]  # with its libraries, weights and whatever lies beside it
        secret = [ours, weights.folder().resolve(), Path(sysconfig.get_path("purelib")), Path(sys.prefix)]
        with contextlib.suppress(RuntimeError):  # a user whom the system does not know has none
            secret.append(Path.home())
        layers = [
            Middleware(BodyGuard, uploads=self.uploads, sessions=self.sessions),
            Middleware(HiddenPaths, served, secret, self._mark),
            Middleware(Tongue, name, self._root(name)),
        ]
        if self.tools is not None and name == self.options.language:
            from hff.page.tools import ToolsDoor

            layers.insert(-1, Middleware(ToolsDoor, self.tools))
        return layers

    @contextlib.asynccontextmanager
    async def _put_layers(self, app):
        """Gradio's application begins: put our layers around it and its siblings before they are asked anything."""
        from hff.page.door.languages import Addresses

        async with contextlib.AsyncExitStack() as running:
            for name, other in self._others.items():
                other.cookie_id, other.tokens = app.cookie_id, app.tokens  # one password opens all
                other.middleware_stack = other.build_middleware_stack()
                await running.enter_async_context(other.router.lifespan_context(other))
                other.get_blocks().run_startup_events()
                await other.get_blocks().run_extra_startup_events()
                self._surround(other, name)
            if self.tools is not None:
                own = secrets.token_hex(16)  # never told to anybody: the page's own way past its password
                app.tokens[own] = "mcp"
                cookies = {f"access-token-unsecure-{app.cookie_id}": own} if self.options.password else {}
                await running.enter_async_context(self.tools.at(app.middleware_stack, cookies))
            self._surround(app, self.options.language)
            addresses = Addresses(app.middleware_stack, self.options.language, self._others)
            app.middleware_stack = UnderPath(addresses, self.options.place)
            self._guarded = True
            yield

    def _surround(self, app, name: str) -> None:
        for layer in reversed(self._outer_layers(app, name)):
            app.middleware_stack = layer(app.middleware_stack)

    def _right_password(self, name: str, password: str) -> bool:
        """Whatever name a visitor gives: it is one password for all."""
        assert self.options.password is not None, "asked only where there is a password"
        return secrets.compare_digest(password.encode(), self.options.password.encode())

    def __exit__(self, *_: object) -> None:
        self.uploads.close()
        for other in self._others.values():
            other.stop_event.set()  # ends the heartbeats, for which the server would wait
            other.get_blocks().close(verbose=False)
        self.page.close(verbose=False)
        self._tidy()

    def _tidy(self) -> None:
        self.live.close()
        self.sweeper.close()
        self.sessions.end_all()
        self.folder.close()
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    @property
    def url(self) -> str:
        return self.page.share_url or self.page.local_url


def _load(options: Options):
    import hff

    return hff.load(device=options.device, speech_encoder=options.speech_encoder)


def _config(options: Options) -> HFFConfig:
    return weights.stored_config(weights.folder(), _speech_encoder(options))


def _speech_encoder(options: Options) -> str:
    return options.speech_encoder or weights.preferred_speech_encoder(weights.folder())


def run(options: Options) -> int:
    """Serve until Ctrl-C; the exit status. Problems are told in one line on standard error.

    What can be known at once - the port, the files - is looked at before anything slow is imported.
    """
    try:
        check_port(options.host, options.port)
        check_files(options.certificate, options.key)
        weights.check(weights.folder(), _speech_encoder(options))
        if options.tools:
            check_package()
        if options.native:
            check_capture(options.camera, options.microphone)
        ask_for_files()
        server = Server(options)
        asked = _signals(signal.SIGTERM)
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup
            _signals(signal.SIGHUP, asked)  # the terminal was closed
        with server:
            server.folder.take_all()
            server.engine.warm_up(str(EXAMPLES_FOLDER / "clip.mp4"), on_failure=server.stop.set)
            print(f"The page is ready: {server.url}  (Ctrl-C stops it)", flush=True)
            if options.tools:
                print(f"Its tools (MCP): {server.url.rstrip('/')}{TOOLS}", flush=True)
            _signals(signal.SIGINT, asked)
            while not asked and not server.stop.wait(LOOK_SECONDS):
                pass
            if signal.SIGINT in asked:
                print("\nStopped.", flush=True)
            faulthandler.dump_traceback_later(END_SECONDS, exit=True, file=sys.__stderr__ or sys.stderr)
            if server.engine.failure is not None:
                raise server.engine.failure
    except KeyboardInterrupt:
        return 130
    except HFFError as error:
        print(f"hff: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"hff: {missing_library(error)}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"hff: the server could not start: {error}", file=sys.stderr)
        return 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    return 0


def _signals(wanted: int, asked: list[int] | None = None) -> list[int]:
    """A list that grows by ``wanted`` when that signal comes; the next Ctrl-C then interrupts whatever is going on.

    Not an exception, which is lost where a finaliser happens to run, and not an event, which may wait for itself.
    """
    asked = [] if asked is None else asked

    def ask(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(wanted, ask)
    return asked


def check_files(*paths: str | None) -> None:
    """Raise ``HFFError`` for a file that was named but is not there."""
    for path in paths:
        if path is not None and not Path(path).is_file():
            raise HFFError(say("serve.no_file", path=path))


def check_capture(camera: int | None, microphone: int | None) -> None:
    """Tell which device is missing; raise ``DeviceError`` if none is there."""
    from hff.media.capture import check_devices

    for problem in check_devices(camera, microphone):
        print(f"hff: {problem}", file=sys.stderr)


def check_package() -> None:
    """Raise ``HFFError`` if what speaks the Model Context Protocol is not installed; nothing is imported for it."""
    if importlib.util.find_spec("mcp") is None:
        raise HFFError(say("serve.mcp"))


def check_port(host: str, port: int) -> None:
    """Raise ``HFFError`` if nobody could listen there, before anything slow is begun."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise HFFError(say("serve.host", host=host, error=str(error))) from error
    with socket.socket(family, kind, protocol) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise HFFError(
                say("serve.port", port=port, host=host, error=error.strerror or str(error), next=port + 1)
            ) from error
