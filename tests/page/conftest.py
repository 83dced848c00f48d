"""A page for each test module: of a made-up model, or of the one that the module names ``MODEL``."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from hff.page.serve import Server
from tests.support.page_browser import FakeModel, serving


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(getattr(request.module, "MODEL", FakeModel)()) as running:
        yield running


@pytest.fixture
def web(server: Server) -> Iterator[httpx.Client]:
    """A visitor without a browser."""
    with httpx.Client(base_url=server.url) as client:
        yield client


@pytest.fixture
def model(server: Server) -> FakeModel:
    """The made-up model behind the page, with nothing in its memory."""
    model = server.engine.model()
    model.calls.clear()
    model.analysed.clear()
    model.answer = None
    return model
