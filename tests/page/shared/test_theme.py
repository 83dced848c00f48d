"""Colours stand in one place, and what is drawn takes them from there."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from hff import modalities
from hff.page.shared import theme
from train.engine.learning_curve import learning_curve

ROOT = Path(__file__).resolve().parents[3]
NO_COLOURS = {"#000000", "#ffffff"}


def test_a_colour_stands_in_one_file():
    places = defaultdict(set)
    for package in ("hff", "train"):
        for path in (ROOT / package).rglob("*"):
            if path.suffix in (".py", ".css", ".js", ".html"):
                for colour in re.findall(r"#[0-9a-fA-F]{6}\b", path.read_text(encoding="utf-8")):
                    places[colour.lower()].add(path.name)
    assert places[modalities.of("vision").colour_dark] == {"modalities.py"}
    assert {colour: files for colour, files in places.items() if len(files) > 1 and colour not in NO_COLOURS} == {}


def test_the_style_has_every_variable_that_it_uses():
    static = ROOT / "hff/page/static"
    styles = "".join(path.read_text(encoding="utf-8") for path in static.glob("*.css"))
    known = set(re.findall(r"(--[\w-]+) *:", styles + theme.colours_css()))
    used = set(re.findall(r"var\((--hff-[\w-]+)\)", styles))
    assert "--hff-vision-on-dark" in used
    assert used <= known


def test_the_learning_curve_has_the_colours_of_the_house():
    rows = [{"epoch": str(n), "loss": "1", "score": str(n / 10)} for n in (1, 2)]
    score = learning_curve(rows, "run").axes[1]
    assert [line.get_color() for line in score.lines] == [modalities.of(m).colour for m in ("speech", "text")]


def test_what_stands_in_an_empty_field_can_be_read():
    made = theme.gradio_theme()
    for scheme in ("", "_dark"):
        words, ground = (
            _theme_colour(made, f"input_{name}{scheme}") for name in ("placeholder_color", "background_fill")
        )
        dim, bright = sorted((_luminance(words), _luminance(ground)))
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, scheme


def _theme_colour(made, name: str) -> str:
    value = getattr(made, name)
    return _theme_colour(made, value[1:]) if value.startswith("*") else value


def _luminance(colour: str) -> float:
    """WCAG's relative luminance of #rrggbb."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
