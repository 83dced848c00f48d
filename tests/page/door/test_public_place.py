"""The page behind a proxy, under a path of the proxy's own site."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from gradio_client import Client, handle_file

from hff.errors import HFFError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.page import program
from hff.page.door.gate import API
from hff.page.door.public_place import NO_PROXY, PublicPlace
from hff.page.serve import Server
from tests.support.door_fixtures import EVIL, NOTHING, serving_with
from tests.support.page_browser import browsing, choose_example
from tests.support.reverse_proxy import proxied


@pytest.fixture(scope="module")
def placed() -> Iterator[Server]:
    with serving_with(place=PublicPlace.of("/school/hff")) as running:
        yield running


@pytest.fixture(scope="module", params=[True, False], ids=["path taken off", "path kept"])
def address(placed: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    with proxied(placed.url, "/school/hff", strip=request.param) as address:
        yield address


def page_config(page: str) -> dict:
    return json.loads(re.search(r"window\.gradio_config = (\{.*?\});</script>", page, re.S)[1])


def test_pages_of_every_language_and_their_parts_lie_under_the_path(address: str):
    with httpx.Client(base_url=address, follow_redirects=True) as web:
        for path, language in (("", "en"), ("de/", "de")):
            page = web.get(path)
            assert page.status_code == 200
            assert f'lang="{language}"' in page.text
            assert page_config(page.text)["root"] == address.rstrip("/") + f"/{path}".rstrip("/")
            parts = re.findall(r'(?:src|href)="(\.?/?(?:assets|static)/[^"]+|theme\.css[^"]*)"', page.text)
            assert parts
            for part in parts[:5]:
                assert web.get(path + part.removeprefix("./")).status_code == 200, part
            assert web.get(f"{path}theme.css").status_code == 200
            assert web.get(f"{path}openapi.json").status_code == 404
        assert str(web.get("", headers={"accept-language": "de"}).url) == f"{address}de/"
        assert web.get("de/?language=en").url == address
        cookie = next(cookie for cookie in web.cookies.jar if cookie.name == "hff-language")
        assert cookie.path == "/school/hff/", "no other page of the site is told which language this one was read in"


def test_an_upload_and_an_analysis_under_the_path(address: str):
    client = Client(address, verbose=False)
    read = client.predict(api_name="/analyze", **(NOTHING | {"audio": handle_file(EXAMPLES_FOLDER / "voice.wav")}))
    assert read["present"]["speech"]
    client.close()


def test_live_is_answered_and_others_are_refused_under_the_path(address: str, placed: Server):
    (live,) = (key for key, block in placed.page.blocks.items() if hasattr(block, "feed"))
    message = {"data": {"ticket": "none"}, "component_id": live, "session_hash": "x", "fn_name": "feed"}
    with httpx.Client(base_url=address) as web:
        assert web.post(f"{API[1:]}/component_server/", json=message).status_code == 200
        site = address.removesuffix("/school/hff/")
        assert web.get("config", headers={"origin": site}).status_code == 200
        assert web.get("config", headers={"origin": EVIL}).status_code == 403
        assert web.get("config", headers={"host": "evil.example"}).status_code == 403
        for headers in ({"x-forwarded-host": "evil.example"}, {"x-forwarded-prefix": "/evil"}):
            assert "evil" not in web.get("", headers=headers).text, headers


def test_a_site_that_was_told_counts_whatever_the_proxy_says():
    with serving_with(place=PublicPlace.of("https://School.example/hff/")) as running:
        headers = {"host": running.url.split("/")[2], "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"}
        with proxied(running.url, "/hff", headers=headers) as address, httpx.Client(base_url=address) as web:
            assert page_config(web.get("").text)["root"] == "https://school.example/hff"
            assert web.get("config", headers={"origin": "https://school.example"}).status_code == 200
            assert web.get("config", headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.browser
def test_a_visitor_reads_a_clip_under_the_path(placed: Server):
    with proxied(placed.url, "/school/hff") as address, browsing(address) as page:
        choose_example(page, "Clip")
        page.wait_for_function("document.querySelector('#hff-video video')?.readyState > 0")  # it can be played
        site = address.removesuffix("/school/hff/")
        paths = {request.url.removeprefix(site) for request in page.requests if request.url.startswith(site)}
        assert [path for path in paths if not path.startswith("/school/hff/")] == []
        page.click("#hff-language >> text=Deutsch")
        page.wait_for_selector("#hff-analyse")
        assert page.url.startswith(f"{address}de/")


@pytest.mark.parametrize(
    ("told", "path", "site"),
    [
        ("", "", None),
        ("/", "", None),
        ("/hff", "/hff", None),
        ("/a/b-c/", "/a/b-c", None),
        ("https://School.example:443/hff/", "/hff", "https://school.example"),
        ("http://pc:8080", "", "http://pc:8080"),
    ],
)
def test_a_place_is_a_path_or_an_address(told: str, path: str, site: str | None):
    assert PublicPlace.of(told) == PublicPlace(path, site)


@pytest.mark.parametrize(
    "told",
    ["hff", "//x", "/a/../b", "/a b", "/a?b", "/ä", "ftp://x/hff", "https://", "/de", "/assets/x", "/gradio_api"],
)
def test_what_is_no_place_is_refused_with_a_sentence(told: str, monkeypatch, capsys):
    with pytest.raises(HFFError, match=r"write it like|choose another path"):
        PublicPlace.of(told)
    monkeypatch.setenv("GRADIO_ROOT_PATH", told)
    with pytest.raises(SystemExit):
        program.parse([])
    assert "--root-path" in capsys.readouterr().err


def test_a_containers_and_a_spaces_place_are_heard(monkeypatch):
    taken = []
    monkeypatch.setattr("hff.page.serve.run", lambda options: taken.append(options) or 0)
    assert program.main([]) == 0
    assert (taken[-1].place, taken[-1].origins, taken[-1].frames) == (NO_PROXY, (), ())
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/hff")
    monkeypatch.setenv("SPACE_HOST", "some-body-hff.hf.space")
    assert program.main(["--allow-origin", "https://a.example"]) == 0
    assert taken[-1].place == PublicPlace("/hff")
    assert taken[-1].origins == ("https://a.example", "https://some-body-hff.hf.space")
    assert taken[-1].frames == ("https://huggingface.co",)
    assert program.main(["--root-path", "/mine"]) == 0
    assert taken[-1].place == PublicPlace("/mine")


def test_a_space_goes_by_its_name_and_may_be_shown_by_hugging_face():
    name = "some-body-hff.hf.space"
    site = serving_with(origins=(f"https://{name}",), frames=("https://huggingface.co",))
    with (
        site as running,
        httpx.Client(base_url=running.url, headers={"host": name, "x-forwarded-proto": "https"}) as web,
    ):
        page = web.get("/")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert f"frame-ancestors 'self' https://huggingface.co https://{name};" in policy
        assert "x-frame-options" not in page.headers
        own = {"origin": f"https://{name}", "sec-fetch-site": "same-origin"}
        assert web.get("/config", headers=own).status_code == 200
        around = {"origin": "https://huggingface.co", "sec-fetch-site": "cross-site"}
        assert web.get("/config", headers=around).status_code == 403, "it may show the page, not use it"
