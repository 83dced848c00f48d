"""Things that must not be touched: files in a watched folder, and a socket on this machine's own loopback."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

_OPENED, _READ, _MADE = 0x20, 0x01, 0x100  # of Linux' inotify
_WAITING = os.O_NONBLOCK


class WatchedFolder:
    """Tells the names of the files in a folder that any process opens, reads or makes. Linux only."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(_WAITING)
        if self._handle < 0 or libc.inotify_add_watch(self._handle, os.fsencode(folder), _OPENED | _READ | _MADE) < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch {folder}")

    def touched(self) -> set[str]:
        """The names since the last call."""
        names = set()
        while True:
            try:
                data = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return names - {""}
            while data:
                length = struct.unpack_from("iIII", data)[3]
                names.add(data[16 : 16 + length].rstrip(b"\0").decode())
                data = data[16 + length :]

    def close(self) -> None:
        os.close(self._handle)


class Listener:
    """Counts who connects, and what arrives by UDP, on ``port`` of 127.0.0.1."""

    def __init__(self) -> None:
        self.visits: list[str] = []
        self._stream = socket.create_server(("127.0.0.1", 0))
        self.port = self._stream.getsockname()[1]
        self._packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._packets.bind(("127.0.0.1", self.port))
        for listen in (self._accept, self._receive):
            threading.Thread(target=listen, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._stream.accept()
            except OSError:
                return
            self.visits.append("a connection")
            connection.close()

    def _receive(self) -> None:
        while True:
            try:
                packet, _ = self._packets.recvfrom(1 << 16)
            except OSError:
                return
            if packet:
                self.visits.append("a packet")

    def close(self) -> None:
        for end in (self._stream, self._packets):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
