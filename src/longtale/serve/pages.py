"""Pages for people: the description of the API with examples that run, and the studio's place."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from longtale.serve.openapi import description
from longtale.serve.routing import Endpoint

_ASSETS = {
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "/docs.css": ("docs.css", "text/css; charset=utf-8"),
    "/studio": ("studio.html", "text/html; charset=utf-8"),
}
OPEN = frozenset(["/", "/openapi.json", *_ASSETS])
"""Paths that need no key: they say how to ask, and nothing of the data."""


def routes(endpoints: Iterable[Endpoint]) -> list[Route]:
    """Give the routes of all pages."""
    described = orjson.dumps(description(endpoints))

    async def openapi(_: Request) -> Response:
        return Response(described, media_type="application/json")

    async def home(_: Request) -> Response:
        return RedirectResponse("/docs")

    pages = [_page(path, name, media_type) for path, (name, media_type) in _ASSETS.items()]
    return [Route("/", home), Route("/openapi.json", openapi), *pages]


def _page(path: str, name: str, media_type: str) -> Route:
    content = files("longtale.serve").joinpath("assets", name).read_bytes()

    async def page(_: Request) -> Response:
        return Response(content, headers={"content-type": media_type})

    return Route(path, page)
