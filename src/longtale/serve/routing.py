"""One table of endpoints: from it come the routes, the scopes they need, and the OpenAPI page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_origin
from urllib.parse import unquote

import anyio
import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longtale.recommend.answer import Json
from longtale.serve.audit import Doer
from longtale.serve.auth import key_of
from longtale.serve.headers import state_of
from longtale.serve.keys import Scope
from longtale.serve.messages import parsed
from longtale.serve.problems import Code, Problem
from longtale.serve.service import Service

_WITHOUT_BODY = ("GET", "DELETE")
_T = TypeVar("_T")
_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, eq=False)
class Call:
    """One request, with what its endpoint may need of it.

    Args:
        service: what answers.
        request: as it came.
        values: query parameters or the body, checked; None where the endpoint takes neither.
    """

    service: Service
    request: Request
    values: Any = None

    @property
    def doer(self) -> Doer:
        """Who asks, for the record of what they change."""
        key = key_of(self.request.scope)
        own_id = "" if key is None else key.id
        return Doer(own_id, self.request.method, self.request.state.route)

    def path(self, name: str) -> str:
        """Give a part of the path, such as a user's id."""
        return unquote(self.request.path_params[name])

    async def answer(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Do in a thread what the processor is busy with: one request after the other."""
        return await anyio.to_thread.run_sync(
            function, *arguments, limiter=self.service.one_at_a_time
        )

    async def work(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Do in a thread what takes more than a moment."""
        return await anyio.to_thread.run_sync(function, *arguments)


Handler = Callable[[Call], Awaitable[Mapping[str, Json] | Response]]


@dataclass(frozen=True)
class Endpoint:
    """One thing the service can do.

    Args:
        method: of HTTP.
        path: with names in braces.
        scope: what a key must allow; None needs no key.
        handle: does it; its docstring is the description.
        takes: what it may be asked with: the query of a GET, the body of everything else.
        gives: an example of the answer.
        example: an example of what it is asked with.
        status: of the answer when all is well.
    """

    method: str
    path: str
    scope: Scope | None
    handle: Handler
    takes: type[BaseModel] | None = None
    gives: Mapping[str, Json] = field(default_factory=dict)
    example: Mapping[str, Json] | None = None
    status: int = 200

    def route(self) -> Route:
        """Give the route that reads, checks, does and answers."""

        async def endpoint(request: Request) -> Response:
            service, state = request.app.state.service, state_of(request.scope)
            state["route"] = self.path
            with service.tracing.request(
                route=self.path, method=self.method, headers=request.headers
            ) as traced:
                answer = await self._answer(service, request)
                traced.answered(
                    answer.status_code, stages=state["stages"], degraded=state.get("degraded", ())
                )
            return answer

        return Route(self.path, endpoint, methods=[self.method])

    async def _answer(self, service: Service, request: Request) -> Response:
        values = None
        if self.takes is None or self.method not in _WITHOUT_BODY:
            _refuse_query(request)
        if self.takes is not None:
            values = await self._values(request, self.takes)
        done = await self.handle(Call(service, request, values))
        return done if isinstance(done, Response) else as_json(done, self.status)

    async def _values(self, request: Request, model: type[_M]) -> _M:
        if self.method in _WITHOUT_BODY:
            return parsed(model, _from_query(request, model))
        return parsed(model, await body_of(request))


def _refuse_query(request: Request) -> None:
    """Make sure that nothing is asked in the address where nobody reads it."""
    for name in request.query_params:
        raise Problem(
            Code.BAD_QUERY,
            f"unknown parameter {name!r:.80} in the address; none is read here",
            hint="say it in the body, or leave it out; what is read stands at /docs",
        )


def as_json(values: Mapping[str, Json], status: int = 200) -> Response:
    """Give an answer in JSON."""
    return Response(orjson.dumps(values), status, media_type="application/json")


async def body_of(request: Request) -> Any:
    """Read a body in JSON; none at all is an empty object.

    Raises:
        Problem: it is no JSON (NaN and halves of characters are none either).
    """
    return json_of(await request.body())


def json_of(body: bytes) -> Any:
    """Read JSON; nothing at all is an empty object.

    Raises:
        Problem: it is no JSON.
    """
    if not body.strip():
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(
            Code.BAD_BODY, f"the body is not JSON: {error}", hint="send one JSON document in UTF-8"
        ) from None


def _from_query(request: Request, model: type[BaseModel]) -> dict[str, object]:
    """Give query parameters as plain values; several of one name are a list, as are commas."""
    found: dict[str, object] = {}
    for name in request.query_params:
        values = request.query_params.getlist(name)
        known = model.model_fields.get(name)
        origin = None if known is None else get_origin(known.annotation)
        if origin is tuple:
            found[name] = [part for value in values for part in value.split(",") if part]
        elif origin is dict:
            found[name] = json_of(values[-1].encode())
        else:
            found[name] = values[-1]
    return found
