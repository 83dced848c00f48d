"""Whatever goes wrong in an event is said in a sentence: Gradio answers {"error": null}, and logs a traceback.

What does not fit the event's inputs is the sender's fault, and nothing for the log. Everything else is ours.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr

from hff.locale import DEFAULT, texts, using

log = logging.getLogger(__name__)


def say_faults(page: Any, name: str) -> None:
    """Have ``page``, a ``gradio.Blocks``, do so in the language ``name``; other programs' events speak English."""
    page.preprocess_data = _saying(page.preprocess_data, name, _not_understood)
    page.process_api = _saying(page.process_api, name, _unexpected)


def _saying(
    work: Callable[..., Awaitable[Any]], name: str, sentence: Callable[[Exception], str]
) -> Callable[..., Awaitable[Any]]:
    async def said(*args: Any, **kwargs: Any) -> Any:
        event = args[0] if args else kwargs.get("block_fn")
        try:
            return await work(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            with using(DEFAULT if getattr(event, "api_visibility", "") == "public" else name):
                raise gr.Error(sentence(error), title=texts.ERROR_TITLE, print_exception=False) from error

    return said


def _not_understood(error: Exception) -> str:
    log.info("an event's values were not understood: %s", error)
    return texts.VALUES_NOT_UNDERSTOOD


def _unexpected(error: Exception) -> str:
    log.error("an event failed", exc_info=error)
    return texts.UNEXPECTED.format(kind=type(error).__name__)
