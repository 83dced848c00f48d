"""What the attacks share: healthy files, watched workers, and the table that the whole run ends with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TABLE

from .cases import Case, Table
from .seeds import write_seeds
from .workers import Worker


@pytest.fixture(scope="session")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_seeds(tmp_path_factory.mktemp("healthy"))


@pytest.fixture(scope="session")
def workers(seeds: dict[str, Path]) -> Iterator[list[Worker]]:
    """Two workers that have read a healthy clip and picture by every way that is attacked."""
    warm = [
        Case("warm up", seeds["mp4"], "video", "analyze", transcribe=True),
        Case("warm up", seeds["jpg"], "image", "analyze"),
        Case("warm up", seeds["mp4"], "video"),
    ]
    workers = [Worker(warm), Worker(warm)]
    yield workers
    for worker in workers:
        worker.close()


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Table:
    return request.config.stash.setdefault(TABLE, Table())
