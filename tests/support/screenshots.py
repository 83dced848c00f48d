"""Pictures of every view for the README, made from the running page: ``python -m tests.support.screenshots``.

    python -m tests.support.screenshots                                         # writes docs/images/*.png
    python -m tests.support.screenshots --url http://127.0.0.1:7860/ --views lab model
    python -m tests.support.screenshots --scheme dark --width 1920 --height 1080 --out shots

The face is scikit-image's public-domain portrait, the voice the synthetic one of the page's examples.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page
from skimage.data import astronaut

from hff.examples.ready import EXAMPLES_FOLDER
from hff.locale import texts
from tests.support.page_browser import browsing, camera_flags, choose_example, real_model, serving

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
FADE_MS = 800  # until what was waiting for an answer has its full colours again
ALL_THREE = (
    "() => { const d = document.querySelector('.hff-live').dataset; "
    "return d.state === 'running' && +d.count > 60 && +d.alphaVision > 0.05 && +d.alphaSpeech > 0.01 "
    "&& +d.alphaText > 0.05 && !document.querySelector('.hff-paused') }"
)  # the Live view while somebody speaks
COLOURS = 200  # of a picture's palette, to keep it small


def open_view(page: Page, name: str) -> None:
    page.locator("#hff-views").get_by_role("tab", name=name, exact=True).first.click()


def live(page: Page) -> None:
    open_view(page, texts.TAB_LIVE)
    page.click("[data-live=start]")
    page.wait_for_function(ALL_THREE)


def clip(page: Page) -> None:
    choose_example(page, texts.EXAMPLES["covered"][0])
    page.wait_for_selector("#hff-timeline svg")


def lab(page: Page) -> None:
    open_view(page, texts.TAB_LAB)
    page.locator("#hff-lab-controls").get_by_role("tab", name=texts.LAB_TAB_LESSONS, exact=True).click()
    page.click("#hff-lesson-lights_off")
    page.wait_for_selector("#hff-lab-unknown")
    page.locator("#hff-lesson-guess label").last.click()
    page.click("#hff-lesson-show:not([disabled])")
    page.wait_for_selector("#hff-lab-after")


def model(page: Page) -> None:
    choose_example(page, texts.EXAMPLES["actor"][0])
    open_view(page, texts.TAB_MODEL)
    page.wait_for_selector(".hff-walk-now")
    page.wait_for_timeout(FADE_MS)
    page.evaluate("scrollBy(0, document.getElementById('hff-walk-source').getBoundingClientRect().top - 12)")


VIEWS = {"model": model, "clip": clip, "lab": lab, "live": live}


def save(picture: bytes, path: Path) -> None:
    """Write a screenshot as a small PNG with a palette."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the README's pictures of every view.")
    parser.add_argument("--url", help="of a page that runs already; else one is started")
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS))
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--width", type=int, default=1366)
    parser.add_argument("--height", type=int, default=768)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url = options.url or stack.enter_context(serving(real_model())).url
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        flags = camera_flags(folder, astronaut(), EXAMPLES_FOLDER / "voice.wav")
        for name in options.views:
            with browsing(url, options.width, options.height, options.scheme, flags) as page:
                VIEWS[name](page)
                if name != "model":  # which shows its walk
                    page.evaluate("scrollTo(0, 0)")
                page.wait_for_function("() => !document.querySelector('.pending, .generating')")
                page.wait_for_timeout(FADE_MS)
                if name == "live":  # a pause may have begun meanwhile
                    page.wait_for_function(ALL_THREE)
                save(page.screenshot(), options.out / f"{name}.png")
            print(options.out / f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
