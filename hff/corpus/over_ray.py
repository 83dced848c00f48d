"""Workers on a Ray cluster, or on one that is started here for as long as it takes (``pip install hff[ray]``).

Ray's actors are used, not Ray Data: a stage of Ray Data takes the whole block of a worker that died up again, for ever
or not at all, and cannot say which clip it died of. Here such a clip is tried once more, elsewhere, and then gets a row
that says so. The tables are written by the process that started it all; the clips must have the same paths everywhere.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from hff.corpus.clip_reader import ClipReader, Read
from hff.corpus.clips import Clip
from hff.corpus.rows import ReadOptions, failed
from hff.corpus.workers import Load
from hff.errors import DependencyError, HFFError, InputError
from hff.locale import say

log = logging.getLogger(__name__)
TRIES_A_CLIP = 2  # of a clip whose worker dies: of the first time the machine may be guilty
# Ray reads them when it is imported. By default it counts its users, and its workers give way to all other programs.
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}


def read_over_ray(
    load: Load, clips: Iterable[Clip], options: ReadOptions, jobs: int | None, address: str | None = None
) -> Iterator[Read]:
    """Each clip's rows as they come, from ``jobs`` workers: by default one a GPU, or where there is none, one a CPU.

    address: of a cluster, as "ray://head:10001" or "auto"; None starts one on this machine. Raises
    ``DependencyError`` without Ray, ``InputError`` where no cluster answers, and what ``load`` raises.
    """
    waiting = deque((clip, 1) for clip in clips)
    with _cluster(address, jobs) as ray:
        there = ray.cluster_resources()
        gpus = int(there.get("GPU", 0))
        count = jobs or gpus or int(there.get("CPU", 1))
        share = {"num_cpus": 1, "num_gpus": min(1.0, gpus / count)}
        worker = ray.remote(**share, max_restarts=0, max_task_retries=0)(_RayWorker)
        idle = [worker.remote(load, options) for _ in range(min(count, len(waiting)))]
        busy: dict[Any, tuple[Any, Clip, int]] = {}  # what is being read -> (its worker, the clip, which try it is)
        while waiting or busy:
            while idle and waiting:
                actor, (clip, number) = idle.pop(), waiting.popleft()
                busy[actor.read.remote(clip)] = actor, clip, number
            ready, _ = ray.wait(list(busy), num_returns=1)
            actor, clip, number = busy.pop(ready[0])
            try:
                answer = ray.get(ready[0])
            except ray.exceptions.RayError as error:
                log.debug("a worker died of %s: %s", clip.path, error)
                idle.append(worker.remote(load, options))
                if number < TRIES_A_CLIP:
                    waiting.append((clip, number + 1))
                    continue
                answer = Read(clip, failed(clip, options, str(say("corpus.clip_died", reason=_reason(error)))))
            else:
                idle.append(actor)
            if isinstance(answer, HFFError):
                raise answer
            yield answer


class _RayWorker:
    """One process with a model of its own, loaded once."""

    def __init__(self, load: Load, options: ReadOptions) -> None:
        import torch

        torch.set_num_threads(1)
        try:
            self._reader: ClipReader | HFFError = ClipReader(load(), options)
        except HFFError as error:
            self._reader = error

    def read(self, clip: Clip) -> Read | HFFError:
        return self._reader if isinstance(self._reader, HFFError) else self._reader.read(clip)


@contextmanager
def _cluster(address: str | None, jobs: int | None) -> Iterator[Any]:
    """Ray, connected; what was started here ends and leaves nothing."""
    os.environ.update(_ENVIRONMENT)
    try:
        import ray
    except ImportError as error:
        raise DependencyError(say("corpus.no_ray")) from error
    quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    with tempfile.TemporaryDirectory(prefix="hff-", dir=_short_folder(), ignore_cleanup_errors=True) as folder:
        if address is None:
            quietly |= {"num_cpus": jobs, "include_dashboard": False}
            quietly |= {"_temp_dir": folder, "_node_ip_address": "127.0.0.1"}
        try:
            ray.init(address=address or "local", **quietly)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            if address is None:
                raise InputError(say("corpus.ray_not_started", error=str(error))) from error
            raise InputError(say("corpus.no_cluster", address=address, error=str(error))) from error
        with redirect_stdout(sys.stderr):  # Ray tells of what died; standard output may be the table
            try:
                yield ray
            finally:
                ray.shutdown()


def _short_folder() -> str:
    """Where temporary files go, if that leaves room for the names of Ray's sockets: a system takes 100 letters."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= 24 or not os.access("/tmp", os.W_OK) else "/tmp"


def _reason(error: Exception) -> str:
    """The first line of what Ray says of a death."""
    return str(error).strip().partition("\n")[0].rstrip(".")
