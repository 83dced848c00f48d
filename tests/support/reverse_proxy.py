"""A reverse proxy that puts a page under a path of its own site, as nginx or Caddy do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

HOP = {"connection", "keep-alive", "transfer-encoding"}  # a proxy makes these anew


@contextmanager
def proxied(target: str, path: str, strip: bool = True, headers: dict[str, str] | None = None) -> Iterator[str]:
    """Address of the page at ``target`` under ``path`` of another port; only what lies there is handed on.

    strip: the path is taken off on the way. headers: what the proxy sets on requests; otherwise they go on as they are.
    """
    client = httpx.AsyncClient(base_url=target, timeout=None)

    async def forward(request: Request) -> Response:
        if not request.url.path.startswith(path):
            return Response("elsewhere on this site", 404)
        way = request.url.path.removeprefix(path) or "/" if strip else request.url.path
        query = f"?{request.url.query}" if request.url.query else ""
        sent = {name: value for name, value in request.headers.items() if name not in HOP} | (headers or {})
        asked = client.build_request(request.method, way + query, headers=sent, content=request.stream())
        if request.method in ("GET", "HEAD"):
            asked = client.build_request(request.method, way + query, headers=sent)
        answer = await client.send(asked, stream=True)
        kept = {name: value for name, value in answer.headers.items() if name not in HOP | {"set-cookie"}}
        reply = StreamingResponse(answer.aiter_raw(), answer.status_code, kept)
        for cookie in answer.headers.get_list("set-cookie"):
            reply.headers.append("set-cookie", cookie)
        return reply

    app = Starlette(routes=[Route("/{rest:path}", forward, methods=["GET", "HEAD", "POST", "OPTIONS", "PUT"])])
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="error"))
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    while not server.started:
        serving.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}{path}/"
    finally:
        server.force_exit = server.should_exit = True
        serving.join(10)
