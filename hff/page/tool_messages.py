"""Messages of the Model Context Protocol: which of them ask for something, and what is said to the others."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse

from hff.locale import texts


class NoQuestion(Exception):
    """A message that asks for nothing that there is; ``reply`` says so by the protocol."""

    def __init__(self, status: int, code: int, sentence: str, number: str | int | None = None) -> None:
        super().__init__(sentence)
        error = {"code": code, "message": sentence}
        self.reply = JSONResponse({"jsonrpc": "2.0", "id": number, "error": error}, status)


def readable(body: bytes) -> bytes:
    """The message without halves of characters, which no answer can repeat. Raises ``NoQuestion``.

    The protocol's library would answer some of what is refused here with 500, and all with many lines in the log.
    """
    from mcp import types

    try:
        given = json.loads(body)
        text = json.dumps(given, ensure_ascii=False).encode("utf-8", "replace")
        message = types.JSONRPCMessage.model_validate_json(text).root
    except (ValueError, RecursionError) as error:  # of which pydantic's is one
        raise NoQuestion(400, types.INVALID_REQUEST, texts.TOOL_MESSAGE) from error
    if not isinstance(message, types.JSONRPCRequest | types.JSONRPCNotification):
        raise NoQuestion(400, types.INVALID_REQUEST, texts.TOOL_MESSAGE)  # an answer, and nothing was asked
    asks = isinstance(message, types.JSONRPCRequest)
    kind: type[types.ClientRequest | types.ClientNotification] = (
        types.ClientRequest if asks else types.ClientNotification
    )
    try:
        kind.model_validate(message.model_dump(by_alias=True, mode="json", exclude_none=True))
    except ValueError as error:
        number = message.id if isinstance(message, types.JSONRPCRequest) else None
        raise NoQuestion(200 if asks else 400, types.INVALID_PARAMS, texts.TOOL_MESSAGE, number) from error
    return text
