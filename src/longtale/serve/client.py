"""A client of the service, for code that waits and for code that does not.

Both carry out the plans of `client_calls` and `client_rows`; what differs is how a call is sent and
how one waits. Nearly every call can be made twice without harm, so that a lost answer or a busy
service is asked again by itself.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from longtale.errors import MissingExtraError, ServiceError
from longtale.serve import client_calls as calls
from longtale.serve import client_rows as rows
from longtale.serve.client_refusals import Patience, RefusedError
from longtale.serve.client_request import Call, Plan

try:
    import anyio
    import httpx

    from longtale.serve.client_exchange import (
        answer_in,
        headers_of,
        present,
        wait_before_next,
        written,
    )
except ModuleNotFoundError:
    raise MissingExtraError("httpx", extra="serve", purpose="a client of the service") from None

__all__ = ["AsyncClient", "Client", "RefusedError"]

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_URL = "http://127.0.0.1:8000"


def _made(make: Callable[P, Plan[T]]) -> Callable[Concatenate[Client, P], T]:
    """Give the method that carries out a plan and waits for it."""

    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._make(make(*args, **kwargs))

    present(method, make)
    return method


def _awaited(make: Callable[P, Plan[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    """Give the method that carries out a plan and lets others work meanwhile."""

    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._make(make(*args, **kwargs))

    present(method, make)
    return method


class Client:
    """Asks a running service, and waits for its answers; threads may share one.

    Args:
        url: where the service is.
        key: `lt_...`; None where the service runs on this machine without keys.
        timeout: seconds that connecting, sending and answering may each take.
        retries: how often a call is made again that was turned away or lost.
        transport: how calls are sent, for tests.

    Example:
        >>> with Client("http://127.0.0.1:1") as nobody_listens_here:
        ...     nobody_listens_here.ready()
        False
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=url, headers=headers_of(key), timeout=timeout, transport=transport
        )
        self._patience = Patience(retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _make(self, plan: Plan[T]) -> T:
        try:
            call = next(plan)
            while True:
                try:
                    answer = self._sent(call)
                except ServiceError as error:
                    call = plan.throw(error)
                else:
                    call = plan.send(answer)
        except StopIteration as done:
            return done.value

    def _sent(self, call: Call) -> Any:
        for n_before in itertools.count():
            try:
                return answer_in(self._http.request(**written(call)))
            except (RefusedError, httpx.HTTPError) as error:
                wait_s = wait_before_next(
                    self._patience, call, error, n_before, self._http.base_url
                )
            time.sleep(wait_s)

    recommend = _made(calls.recommend)
    session_recommend = _made(calls.session_recommend)
    similar = _made(calls.similar)
    rank = _made(calls.rank)
    search = _made(calls.search)
    send_events = _made(rows.send_events)
    bulk = _made(rows.bulk)
    put_item = _made(calls.put_item)
    get_item = _made(calls.get_item)
    patch_item = _made(calls.patch_item)
    delete_item = _made(calls.delete_item)
    put_user = _made(calls.put_user)
    get_user = _made(calls.get_user)
    patch_user = _made(calls.patch_user)
    delete_user = _made(calls.delete_user)
    taste = _made(calls.taste)
    put_taste = _made(calls.put_taste)
    export = _made(calls.export)
    forget = _made(calls.forget)
    slate = _made(calls.slate)
    explain = _made(calls.explain)
    why_not = _made(calls.why_not)
    rules = _made(calls.rules)
    put_rule = _made(calls.put_rule)
    delete_rule = _made(calls.delete_rule)
    preview = _made(calls.preview)
    models = _made(calls.models)
    promote = _made(calls.promote)
    rollback = _made(calls.rollback)
    status = _made(calls.status)
    ready = _made(calls.ready)


class AsyncClient:
    """Asks a running service while others work; the same methods as `Client`, to be awaited.

    Args:
        url: where the service is.
        key: `lt_...`; None where the service runs on this machine without keys.
        timeout: seconds that connecting, sending and answering may each take.
        retries: how often a call is made again that was turned away or lost.
        transport: how calls are sent, for tests.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers_of(key), timeout=timeout, transport=transport
        )
        self._patience = Patience(retries)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _make(self, plan: Plan[T]) -> T:
        try:
            call = next(plan)
            while True:
                try:
                    answer = await self._sent(call)
                except ServiceError as error:
                    call = plan.throw(error)
                else:
                    call = plan.send(answer)
        except StopIteration as done:
            return done.value

    async def _sent(self, call: Call) -> Any:
        for n_before in itertools.count():
            try:
                return answer_in(await self._http.request(**written(call)))
            except (RefusedError, httpx.HTTPError) as error:
                wait_s = wait_before_next(
                    self._patience, call, error, n_before, self._http.base_url
                )
            await anyio.sleep(wait_s)

    recommend = _awaited(calls.recommend)
    session_recommend = _awaited(calls.session_recommend)
    similar = _awaited(calls.similar)
    rank = _awaited(calls.rank)
    search = _awaited(calls.search)
    send_events = _awaited(rows.send_events)
    bulk = _awaited(rows.bulk)
    put_item = _awaited(calls.put_item)
    get_item = _awaited(calls.get_item)
    patch_item = _awaited(calls.patch_item)
    delete_item = _awaited(calls.delete_item)
    put_user = _awaited(calls.put_user)
    get_user = _awaited(calls.get_user)
    patch_user = _awaited(calls.patch_user)
    delete_user = _awaited(calls.delete_user)
    taste = _awaited(calls.taste)
    put_taste = _awaited(calls.put_taste)
    export = _awaited(calls.export)
    forget = _awaited(calls.forget)
    slate = _awaited(calls.slate)
    explain = _awaited(calls.explain)
    why_not = _awaited(calls.why_not)
    rules = _awaited(calls.rules)
    put_rule = _awaited(calls.put_rule)
    delete_rule = _awaited(calls.delete_rule)
    preview = _awaited(calls.preview)
    models = _awaited(calls.models)
    promote = _awaited(calls.promote)
    rollback = _awaited(calls.rollback)
    status = _awaited(calls.status)
    ready = _awaited(calls.ready)
