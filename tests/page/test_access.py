"""Every view of the page has no serious fault in the eyes of axe-core, the accessibility checker."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from hff.lab.state import LabState
from hff.locale import texts
from tests.support.page_browser import browsing, choose_example, open_fold, open_section, real_model, serving

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")
ALSO = ("heading-order",)  # moderate to axe-core, but how those who hear a page find their way
# Names and roles are the same in both schemes, so in the dark one only the rules about colour are run.
RULES = {"light": {}, "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}}
SECTIONS = (texts.SECTION_ATTENTION, texts.SECTION_ALONE, texts.SECTION_WORDS, texts.SECTION_KEEP)
LAB_TABS = (texts.LAB_TAB_CORRUPTION, texts.LAB_TAB_MODEL, texts.LAB_TAB_SHARE, texts.LAB_TAB_LESSONS)
# Colours on their way from one to another, and what waits for its answer, are not what people read.
STILL = "*, ::before, ::after { transition: none !important; animation: none !important }"
SETTLED = "() => !document.querySelector('.pending, .generating')"


@pytest.fixture(scope="module")
def lab_server():
    with serving(real_model()) as running:
        yield running


@pytest.fixture(params=RULES)
def scheme(request) -> str:
    return request.param


def faults(page: Page, scheme: str, part: str = "html") -> list[str]:
    """What axe-core finds seriously wrong in ``part``: the rule, the element and the reason, a line each."""
    page.wait_for_function(SETTLED)
    found = Axe().run(page, part, {"resultTypes": ["violations"], **RULES[scheme]}).response
    assert found["violations"] or found["passes"], f"axe-core looked at nothing in {part}"
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in SERIOUS or fault["id"] in ALSO
        for node in fault["nodes"]
    ]


def test_axe_finds_a_fault_that_is_there(server):
    with browsing(server.url) as page:
        page.set_content('<p style="color: #808080; background: #777777">Hardly to be read</p>')
        (fault,) = faults(page, "dark")
        assert fault.startswith("color-contrast")


def test_no_view_has_a_serious_fault(server, scheme: str):
    with browsing(server.url, scheme=scheme) as page:
        page.add_style_tag(content=STILL)
        assert faults(page, scheme) == [], "the Clip view before anything was analysed"
        choose_example(page, "Clip")
        page.wait_for_selector("#hff-timeline svg")
        assert faults(page, scheme) == [], "the Clip view with a report"
        for section in SECTIONS:
            open_section(page, section)
            assert faults(page, scheme, "#hff-sections") == [], section
        open_view(page, texts.TAB_LIVE, "[data-live=start]")
        assert faults(page, scheme) == [], texts.TAB_LIVE
        open_view(page, texts.TAB_MODEL, ".hff-walk-now")
        for part in ("#hff-measured", "#hff-data"):
            open_fold(page, part)
        page.evaluate("for (const part of document.querySelectorAll('[data-part]')) part.hidden = false")
        assert faults(page, scheme) == [], texts.TAB_MODEL
        page.click("#hff-glossary summary")
        assert faults(page, scheme, "#hff-glossary") == [], "the glossary"


def test_the_lab_has_no_serious_fault(lab_server, scheme: str):
    # The photograph and a typed sentence: no recogniser has to run.
    state = quote(LabState(source="mixed").to_json())
    with browsing(f"{lab_server.url}?lab={state}", scheme=scheme) as page:
        page.add_style_tag(content=STILL)
        page.wait_for_selector("#hff-lab-sentence")
        assert faults(page, scheme) == [], texts.LAB_TAB_COMPARE
        for tab in LAB_TABS:
            open_tab(page, "#hff-lab-controls", tab)
            assert faults(page, scheme, "#hff-lab-controls") == [], tab
        open_tab(page, "#hff-lab-views", texts.LAB_TAB_SWEEP)
        assert faults(page, scheme, "#hff-lab-views") == [], texts.LAB_TAB_SWEEP


def open_view(page: Page, name: str, shown: str) -> None:
    open_tab(page, "#hff-views", name)
    page.wait_for_selector(shown)


def open_tab(page: Page, tabs: str, name: str) -> None:
    """Open one of ``tabs``' own tabs, not one of those inside them."""
    tab = page.locator(tabs).get_by_role("tab", name=name, exact=True).first
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")
