"""An endpoint of Starlette that does nothing, beside which the speed of the service is measured."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longtale.reliability.running import START_S, asking
from longtale.reliability.server_process import started

_BACKLOG = 2048


@contextmanager
def noop_server() -> Iterator[str]:
    """Run an endpoint that answers `{}` to everything in a process of its own; give its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(_BACKLOG)
        process = started(_serve, listener)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with asking(url) as client:
            client.get("/", timeout=START_S).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.join()


async def _nothing(request: Request) -> Response:
    await request.body()
    return Response(b"{}", media_type="application/json")


def _serve(listener: socket.socket) -> None:
    app = Starlette(routes=[Route("/{path:path}", _nothing, methods=["GET", "POST"])])
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
