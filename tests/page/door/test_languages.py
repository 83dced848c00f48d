"""The page in several languages: which one an address, a choice or a browser gets, and that it speaks it."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import httpx
import pytest

from hff.errors import InputError
from hff.locale import say, using
from hff.page.blocks import build_page
from hff.page.door.wanted_language import preferred
from hff.page.live.hub import LiveHub
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from tests.page.door.test_gate import REFUSED, routes_of
from tests.support.door_fixtures import serving_with
from tests.support.page_browser import FakeModel, browsing, choose_example

GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.mark.parametrize(
    ("accepted", "name"),
    [
        ("", "en"),
        ("de", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr-FR,fr;q=0.9,de;q=0.8,en;q=0.7", "de"),
        ("en;q=0.3, de-CH;q=0.8", "de"),
        ("de;q=0, en", "en"),
        ("*, ;q=x, de;q=much", "en"),
    ],
)
def test_the_language_that_a_browser_prefers(accepted: str, name: str):
    assert preferred(accepted, ("en", "de"), "en") == name


def test_a_browser_that_prefers_german_is_led_to_the_german_page_with_its_query(web):
    answer = web.get("/?lab=%7B%7D", headers=GERMAN)
    assert (answer.status_code, answer.headers["location"]) == (302, "./de/?lab=%7B%7D")
    page = web.get("/", headers=GERMAN, follow_redirects=True)
    assert page.url.path == "/de/"
    assert 'lang="de"' in page.text
    assert web.get("/").status_code == 200, "a browser that says nothing gets the first language"
    assert web.get("/de", follow_redirects=True).url.path == "/de/"


def test_a_choice_is_remembered_and_goes_before_the_browsers_language(web):
    page = web.get("/de/?language=en", headers=GERMAN, follow_redirects=True)
    assert (page.url.path, web.cookies["hff-language"]) == ("/", "en")
    assert 'lang="en"' in page.text
    assert web.get("/", headers=GERMAN).status_code == 200
    assert web.get("/?language=de&lab=x").headers["location"] == "./de/?lab=x"
    assert web.get("/").headers["location"] == "./de/"
    assert web.get("/?language=xx", headers={"cookie": "hff-language=../../x"}).status_code == 200


def test_the_same_routes_are_admitted_in_every_language(server, web):
    refused = [route for route in routes_of(server.page.app.routes) if " ".join(route) in REFUSED]
    assert len(refused) > 20
    for method, template in refused:
        assert web.request(method, "/de" + template.replace("{", "").replace("}", "")).status_code == 404, template
    for path in ("/config", "/theme.css", "/gradio_api/info"):
        assert web.get("/de" + path).status_code == 200
    assert web.get("/de/de/").status_code == 404
    assert web.get("/xx/").status_code == 404
    assert web.get("/de/", headers={"host": "elsewhere.example"}).status_code == 403
    assert web.get("/de/config", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_uploads_are_kept_and_named_alike_and_refused_in_the_pages_language(server, web):
    [name] = web.post("/de/gradio_api/upload", files={"files": ("a.txt", b"hello")}).json()
    assert name.startswith("visit-")
    assert web.get(f"/de/gradio_api/file={name}").text == "hello"
    assert server.uploads.kept > 0
    assert web.post("/de/gradio_api/upload", content=b"x").text.startswith("Diese Adresse nimmt nur Dateien")
    assert web.post("/gradio_api/upload", content=b"x").text.startswith("This address takes files only")


def test_the_door_refuses_in_the_visitors_language(web):
    nothing, english = "Hier gibt es nichts.", "There is nothing here."
    assert web.get("/docs").text == english
    assert web.get("/docs", headers=GERMAN).text == nothing
    assert web.get("/docs", headers={**GERMAN, "cookie": "hff-language=en"}).text == english
    assert web.get("/de/docs", headers={"accept-language": "en"}).text == nothing, "the German page was chosen"
    named = web.get("/", headers={**GERMAN, "host": "elsewhere.example"})
    assert named.text.startswith("Diese Seite heißt nicht elsewhere.example. Soll sie so heißen")
    assert "Website darf diese nicht" in web.get("/config", headers={**GERMAN, "sec-fetch-site": "cross-site"}).text
    assert "Website darf diese nicht" in web.get("/config", headers={**GERMAN, "origin": "http://evil.example"}).text


def test_one_password_opens_every_language_and_guesses_are_counted_together():
    with serving_with(password="open sesame") as running, httpx.Client(base_url=running.url) as web:
        assert web.get("/de/config").status_code == 401
        for number in range(10):
            path = ("/login", "/de/login")[number % 2]
            assert web.post(path, data={"username": "x", "password": f"no {number}"}).status_code == 400
        assert web.post("/login", data={"username": "x", "password": "no"}).status_code == 429
        refused = web.post("/login", data={"username": "x", "password": "no"}, headers=GERMAN)
        assert refused.text == "Zu viele falsche Passwörter; versuchen Sie es in 60 Sekunden noch einmal."
    with serving_with(password="open sesame") as running, httpx.Client(base_url=running.url) as web:
        assert web.post("/de/login", data={"username": "x", "password": "open sesame"}).status_code == 200
        assert web.get("/de/config").status_code == web.get("/config").status_code == 200


def test_another_language_may_be_the_first():
    with serving_with(language="de") as running, httpx.Client(base_url=running.url) as web:
        assert 'lang="de"' in web.get("/").text
        assert 'lang="en"' in web.get("/en/").text
        assert web.get("/", headers={"accept-language": "en"}).headers["location"] == "./en/"


def test_events_speak_the_pages_language_and_what_programs_call_speaks_english(tmp_path):
    model = FakeModel()
    model.answer = InputError(say("media.empty", name="clip.mp4"))
    engine, visitor = Engine(lambda: model), SimpleNamespace(session_hash="visit", request=None)
    page = build_page(engine, Sessions(tmp_path), LiveHub(engine), "de")
    events = {event.fn.__name__: event.fn for event in page.fns.values() if event.fn is not None}
    shown = events["_analyse"](None, None, None, "hello", False, "", visitor)
    assert "Das hat nicht geklappt" in shown[0]
    assert "clip.mp4 ist leer (0 Bytes)" in shown[0]
    assert "Es gibt noch nichts" in events["_analyse"](None, None, None, "", False, "", visitor)[0]
    with using("de"), pytest.raises(gr.Error, match="is empty"):
        events["analyze"](None, None, None, "hello", False, visitor)


@pytest.mark.browser
def test_the_german_page_speaks_german_and_its_switch_leads_to_the_english_one(server):
    with browsing(f"{server.url}de/") as page:
        assert page.evaluate("document.documentElement.lang") == "de"
        choose_example(page, "Clip", "Gelesen wird")
        page.wait_for_function("document.querySelector('#hff-video video')?.readyState > 0")  # it can be played
        page.locator("#hff-clear").click()
        choose_example(page, "Stimme", "Gelesen wird")
        report = page.inner_text("#hff-answer")
        assert "das modell liest" in report.lower()
        page.get_by_role("tab", name="Live", exact=True).click()  # what no tab has shown yet is not there
        assert page.locator(".hff-live [data-label=fearful] span").first.text_content() == "ängstlich"
        assert page.evaluate("navigator.language") == "de", "Gradio's own words are in the page's language too"
        assert "The model" not in report
        page.click("#hff-language >> text=English")
        page.wait_for_selector("#hff-analyse")
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.url.rstrip("/") == server.url.rstrip("/")
