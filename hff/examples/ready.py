"""The ready examples: what each puts into the inputs, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hff.locale import texts

EXAMPLES_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Example:
    """One ready example; files are names in ``EXAMPLES_FOLDER``."""

    key: str
    video: str | None = None
    audio: str | None = None
    image: str | None = None
    text: str = ""

    @property
    def title(self) -> str:
        return texts.EXAMPLES[self.key][0]

    @property
    def origin(self) -> str:
        return texts.EXAMPLES[self.key][1]

    def path(self, kind: str) -> str | None:
        name = getattr(self, kind)
        return str(EXAMPLES_FOLDER / name) if name else None


EXAMPLES = (
    Example("clip", video="clip.mp4"),
    Example("covered", video="camera_covered.mp4"),
    Example("silent", video="no_sound.mp4"),
    Example("agreed", video="actor_happy.mp4"),
    Example("actor", video="actor_angry.mp4"),
    Example("misread", video="actor_surprised.mp4"),
    Example("voice", audio="voice.wav"),
    Example("sarcasm", audio="sarcasm.wav"),
    Example("portrait", image="portrait.jpg"),
    Example("sentence", text="I was so scared that somebody had followed me home."),
    Example("mixed", image="portrait.jpg", text="I miss my grandmother every single day."),
)
