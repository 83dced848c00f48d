"""Runs the page as a container does and says as JSON what came of it: `python as_a_container.py 'JSON'`.

Where it may, it does so in a network of its own that has nothing but this machine's inner address, and as a user that
nobody knows. Standard library alone: it is also run where nothing of ours can be imported.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
LONG = 300  # s; the machine may be busy


def wake_loopback() -> None:
    """A new network's inner address is asleep."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(one, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(one, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def get(url: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
    asked = urllib.request.Request(url, body, {"content-type": kind})
    with urllib.request.urlopen(asked, timeout=LONG) as reply:
        return reply.read()


def reading(url: str, clip: Path) -> dict:
    """What the page reads from a clip."""
    part = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{clip.name}"\r\n\r\n'.encode()
    body = part + clip.read_bytes() + b"\r\n--x--\r\n"
    (name,) = json.loads(get(f"{url}/gradio_api/upload", body, "multipart/form-data; boundary=x"))
    video = {"path": name, "meta": {"_type": "gradio.FileData"}}
    asked = json.dumps({"data": [video, None, None, "", True]}).encode()
    number = json.loads(get(f"{url}/gradio_api/call/analyze", asked))["event_id"]
    events = get(f"{url}/gradio_api/call/analyze/{number}").decode()
    return json.loads(events.rpartition("data: ")[2])[0]


def outward() -> str:
    """What comes of a connection to another machine."""
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1).close()
    except OSError as error:
        return str(error)
    return "connected"


def run(told: dict) -> dict:
    if told["alone"]:
        wake_loopback()
    url = f"http://127.0.0.1:{told['environment']['GRADIO_SERVER_PORT']}"
    program = subprocess.Popen(
        told["command"],
        cwd=told["folder"],
        env=told["environment"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = program.stdout.readline()
        before = time.monotonic()
        healthy = subprocess.run(told["healthcheck"], env=told["environment"], cwd=told["folder"], timeout=LONG)
        answer = reading(url, Path(told["clip"])) if line else {}
        program.send_signal(signal.SIGTERM)
        out, err = program.communicate(timeout=LONG)
    finally:
        program.kill()
    sick = subprocess.run(told["healthcheck"], env=told["environment"], cwd=told["folder"], stderr=subprocess.DEVNULL)
    return {
        "ready": line,
        "out": out,
        "err": err,
        "status": program.returncode,
        "healthy": healthy.returncode,
        "sick": sick.returncode,
        "present": answer.get("present"),
        "seconds": time.monotonic() - before,
        "outward": outward() if told["alone"] else "not tried",
        "user": os.getuid(),
    }


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
