"""A dialogue read turn by turn: each is a clip of its own, of words alone or with a stretch of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hff.cancel import checkpoint
from hff.errors import Cancelled, HFFError
from hff.media.dialogue_file import DialogueTurn
from hff.result import Result

if TYPE_CHECKING:
    from hff.pipeline.analyzer import Analyzer
    from hff.pipeline.recording import Recording


def read_turns(
    model: Analyzer, turns: Iterable[DialogueTurn], recording: Recording | None = None
) -> Iterator[tuple[DialogueTurn, Result | HFFError]]:
    """Each turn with its reading, or with what was wrong with it.

    Voice and face come from ``recording`` where a turn says when it was spoken; its words are the file's. The shipped
    weights know nothing of what was said before: a turn reads the same in any dialogue. Raises ``Cancelled``.
    """
    for turn in turns:
        checkpoint()
        try:
            found: Result | HFFError = model.analyze_recording(material_of(model, turn, recording))
        except Cancelled:
            raise
        except HFFError as error:
            found = error
        yield turn, found


def material_of(model: Analyzer, turn: DialogueTurn, recording: Recording | None) -> Recording:
    """What there is to read of a turn. Raises ``HFFError`` where that is nothing."""
    if recording is None or turn.start is None:
        return model.read(text=turn.text)
    part = recording.between(turn.start, turn.end)
    return part.with_text(turn.text) if turn.text else part
