"""The page as people start it, in a process of its own, spoken to by plain HTTP."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx

import hff

ROOT = Path(hff.__file__).parents[1]
API = "/gradio_api"
WAIT = 300.0  # s for one answer, however busy the machine is
FILES = 1024  # that the page may have open: what many systems give
_READY = "The page is ready"


class PageProcess:
    """``with PageProcess(folder) as page``: ready when it is entered, ended when it is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> PageProcess:
        self.log = (self.folder / "page.log").open("w+")
        self.process = subprocess.Popen(
            [
                "sh",
                "-c",
                f'ulimit -n {FILES}; exec "$@"',
                "sh",
                sys.executable,
                "app.py",
                "--port",
                str(self.port),
                "--no-transcribe",
            ],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=os.environ | {"TMPDIR": str(self.folder)},
        )
        for line in self.process.stdout:
            if _READY in line:
                break
        else:
            raise RuntimeError(f"The page did not start:\n{self.said()}")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.client = httpx.Client(base_url=self.url, timeout=WAIT, trust_env=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def said(self) -> str:
        """What the page has written to its log."""
        return (self.folder / "page.log").read_text(encoding="utf-8", errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, method: str, path: str, **content) -> httpx.Response:
        return self.client.request(method, path, **content)

    def call(self, name: str, data: object) -> tuple[int, str]:
        """Status and text of a named endpoint's answer, as ``curl`` would ask for it."""
        asked = self.send("POST", f"{API}/call/{name}", json={"data": data})
        if asked.status_code != 200:
            return asked.status_code, asked.text
        answer = self.send("GET", f"{API}/call/{name}/{asked.json()['event_id']}")
        return answer.status_code, answer.text

    def read_text(self, text: str) -> dict:
        """The reading of typed words: what a healthy page always answers."""
        status, answer = self.call("analyze", [None, None, None, text, False])
        assert status == 200, answer
        return complete(answer)

    # ---- the Live view -------------------------------------------------------------------------------------

    def enter_live(self) -> tuple[str, str | None, str]:
        """A new visit of the Live view: (session, its ticket or None, all that the page said)."""
        session = secrets.token_hex(8)
        component, event = self._live
        joined = self.send(
            "POST",
            f"{API}/queue/join",
            json={"data": [], "fn_index": event, "session_hash": session, "trigger_id": component},
        )
        assert joined.status_code == 200, joined.text
        said = ""
        with self.client.stream("GET", f"{API}/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                said += line + "\n"
                if '"process_completed"' in line:
                    break
        found = re.search(r'"ticket": ?"([^"]+)"', said)
        return session, found and found.group(1), said

    def feed(self, session: str, message: object) -> httpx.Response:
        """One message of a Live view."""
        body = {"data": message, "session_hash": session, "component_id": self._live[0], "fn_name": "feed"}
        return self.send("POST", f"{API}/component_server/", json=body)

    @property
    def _live(self) -> tuple[int, int]:
        """The Live component's number, and that of the event by which a visitor enters it."""
        if not hasattr(self, "_known"):
            config = self.send("GET", "/config").json()
            (component,) = (c["id"] for c in config["components"] if c["props"].get("elem_id") == "hff-live")
            (event,) = (d["id"] for d in config["dependencies"] if [component, "submit"] in d["targets"])
            self._known = component, event
        return self._known


def complete(answer: str) -> dict:
    """The result in a stream of events; there may be heartbeats before it."""
    assert "event: complete" in answer, answer
    return json.loads(answer.split("event: complete\ndata: ", 1)[1].split("\n")[0])[0]
