"""The shape of what the page's script sends to Gradio: checked before Gradio's routes, which say 500 to any other."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationInfo, model_validator

from hff.locale import texts
from hff.page.door.uploads import Refused

Visit = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class _Message(BaseModel):
    """Parts that are not named here are Gradio's to look at."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Event(_Message):
    """An event of the page, for ``/queue/join`` and ``/run/predict``."""

    data: list[Any]
    fn_index: int
    session_hash: Visit
    trigger_id: int | None = None

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo[Any]) -> _Event:
        event = info.context.fns.get(self.fn_index)
        if event is None:
            raise ValueError("no such event")
        told = sum(not block.skip_api for block in event.inputs)  # other programs leave out what only the page knows
        if len(self.data) not in (len(event.inputs), told):
            raise ValueError("another number of values")
        return self


class _Call(_Message):
    """A call of a component's own function, for ``/component_server/``."""

    data: Any
    fn_name: str
    component_id: int
    session_hash: Visit

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo[Any]) -> _Call:
        if self.component_id not in info.context.blocks:
            raise ValueError("no such component")
        return self


class _Cancel(_Message):
    session_hash: Visit
    fn_index: int
    event_id: Visit


class _Reset(_Message):
    event_id: Visit


_SHAPES: dict[str, type[_Message]] = {
    "/queue/join": _Event,
    "/run/predict": _Event,
    "/component_server": _Call,
    "/cancel": _Cancel,
    "/reset": _Reset,
}


def check_shape(path: str, body: bytes, blocks: Any) -> None:
    """Raise ``Refused`` unless ``body`` is what the page sends to ``path``; other paths take what they like.

    ``blocks``: the ``gradio.Blocks`` that know the page's events and components.
    """
    shape = next((shape for end, shape in _SHAPES.items() if path.rstrip("/").endswith(end)), None)
    if shape is None:
        return
    try:
        # Pydantic's own reader would refuse half a character, which a page may send and our texts are cleaned of.
        shape.model_validate(json.loads(body), context=blocks)
    except (ValueError, RecursionError) as error:  # of which pydantic's is one
        raise Refused(400, texts.BODY_SHAPE) from error
