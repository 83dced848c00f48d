"""Colours and fonts, the same in the page, the figures and the report.

What is a modality's own - colour, dash, hatch - stands in ``hff.modalities``.
Each colour has at least 3:1 contrast on both the light and the dark background,
and every modality also has its own dash and hatch, so that nothing is said by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from hff import modalities

COLOUR_MAP = "cividis"  # reads the same with and without colour vision, and on paper

# No web fonts: what the machine has.
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "Arial", "sans-serif")
MONO_FONTS = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def css_fonts() -> str:
    """``FONTS`` as the value of CSS's ``font-family``."""
    return ", ".join(f"'{name}'" if " " in name else name for name in FONTS)


@dataclass(frozen=True)
class Palette:
    """Ink and lines of the page and of a figure, as matplotlib's colours and CSS's."""

    ink: str
    muted: str
    line: str
    paper: str


PRINT = Palette(ink="#16191d", muted="#59616b", line="#c9ced6", paper="#ffffff")  # and the page by day
NIGHT = Palette(ink="#eef1f5", muted="#a9b3bf", line="#4a535e", paper="#171c22")
# Placeholders: ``drawing.svg`` puts the page's own variables in their place, so figures follow light and dark.
PAGE = Palette(ink="#010203", muted="#010204", line="#010205", paper="#010206")
PAGE_VARIABLES = {mark: f"var(--hff-{name}, {getattr(PRINT, name)})" for name, mark in vars(PAGE).items()}


def page_variables() -> dict[str, str]:
    """What stands in a figure's file -> the page's variable for it."""
    return PAGE_VARIABLES | {m.colour: f"var(--hff-{m.key}, {m.colour})" for m in modalities.records()}


def colours_css() -> str:
    """Ink, lines, how many modalities there are and the colour of each on light and on dark, as CSS variables, and each
    modality's class.

    ``--hff-vision-on-dark``, and so on, is the colour for what is dark on a light page too.
    """
    known = modalities.records()
    light = _variables(PRINT) + "".join(
        f"--hff-{m.key}:{m.colour};--hff-{m.key}-on-dark:{m.colour_dark};" for m in known
    )
    dark = _variables(NIGHT) + "".join(f"--hff-{m.key}:{m.colour_dark};" for m in known)
    own = "".join(f".hff-{m.key},.hff-live-cells.hff-{m.key}{{--hff-own:var(--hff-{m.key})}}" for m in known)
    return f":root{{--hff-modalities:{len(known)};{light}}}.dark{{{dark}}}{own}"


def _variables(palette: Palette) -> str:
    return "".join(f"--hff-{name}:{colour};" for name, colour in vars(palette).items())


def gradio_theme():
    """The theme handed to ``launch``: calm greys, one blue, system fonts."""
    import gradio as gr

    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        secondary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_sm,
        text_size=gr.themes.sizes.text_md,
        font=[gr.themes.Font(name) for name in FONTS],
        font_mono=[gr.themes.Font(name) for name in MONO_FONTS],
    ).set(
        # one step darker than Gradio's own, for 4.5:1 contrast
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        color_accent="*primary_600",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
    )
