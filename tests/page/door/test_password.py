"""A page with a password."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AuthenticationError

from hff.page.door.gate import ADMITTED, API, WRONG_PASSWORDS
from hff.page.serve import Server
from tests.support.door_fixtures import NOTHING, serving_with
from tests.support.page_browser import (
    choose_example,
)

PASSWORD = "grün & blau 7"


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    with serving_with(password=PASSWORD) as running:
        yield running


def test_without_the_password_there_is_only_the_place_to_give_it(locked):
    with httpx.Client(base_url=locked.url) as web:
        assert web.get("/").status_code == 200
        assert '"auth_required": true' in web.get("/").text.replace('":', '": ').replace("  ", " ")
        for template, methods in ADMITTED.items():
            for method in methods:
                path = re.sub(r"\{(\w+)(:\w+)?\}", "x", template)
                path = path.replace("run/x", "run/predict").replace("call/x", "call/analyze")
                status = web.request(method, path).status_code
                public = template in ("/", "/theme.css", "/favicon.ico", "/robots.txt", f"{API}/startup-events")
                fixed = template.startswith(("/assets", "/static", "/svelte"))  # there is no file x
                assert status == (200 if public else 404 if fixed else 401) or (fixed and status == 403), path
        assert web.get("/config").status_code == 401
        assert web.get("/logout").status_code == 404
    with pytest.raises(AuthenticationError):
        Client(locked.url, verbose=False)
    with pytest.raises(ValueError, match="login"):
        Client(locked.url, auth=("class", "wrong"), verbose=False)


@pytest.mark.parametrize("name", ["class", "Ms. Müller"])
def test_the_client_gets_in_with_the_password_under_any_name(locked, name: str):
    client = Client(locked.url, auth=(name, PASSWORD), verbose=False)
    assert client.predict(api_name="/analyze", **(NOTHING | {"text": "hello"}))["emotion"]
    client.close()


def test_guessing_is_slow(monkeypatch):
    with serving_with(password=PASSWORD) as running, httpx.Client(base_url=running.url) as web:
        tries = [  # whoever the visitor claims to speak for
            web.post("/login", data={"username": "x", "password": str(n)}, headers={"x-forwarded-for": f"10.0.0.{n}"})
            for n in range(WRONG_PASSWORDS + 2)
        ]
        assert [answer.status_code for answer in tries] == [400] * WRONG_PASSWORDS + [429] * 2
        assert web.post("/login", data={"username": "x", "password": PASSWORD}).status_code == 429
        monkeypatch.setattr("hff.page.door.gate.FORGET_SECONDS", 0.0)
        assert web.post("/login", data={"username": "x", "password": PASSWORD}).status_code == 200


@pytest.mark.browser
def test_a_visitor_gives_the_password_and_works(locked):
    from tests.support.page_browser import chromium

    with chromium.page(viewport={"width": 1366, "height": 768}) as page:
        page.goto(locked.url)
        page.get_by_label("username").fill("class")
        page.get_by_label("password").fill(PASSWORD)
        page.get_by_role("button", name="Login").click()
        page.wait_for_selector("#hff-analyse")
        assert choose_example(page, "Clip")
