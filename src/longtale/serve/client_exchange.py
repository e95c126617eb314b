"""How calls of a client become HTTP, and what became of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import httpx

from longtale import __version__
from longtale.errors import ServiceError
from longtale.serve.client_refusals import Patience, RefusedError, refusal
from longtale.serve.client_request import Call

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
_BROKEN_OFF = (httpx.NetworkError, httpx.RemoteProtocolError)
"""What may happen once and not again. A service that does not answer in time is not asked again: it
has enough to do."""


def present(method: Any, make: Callable[..., Any]) -> None:
    """Let a method look, in help and editors, like the plan that it carries out."""
    functools.update_wrapper(method, make)
    del method.__wrapped__
    asked = inspect.signature(make)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    gives = asked.return_annotation.removeprefix("Plan[").removesuffix("]")
    method.__signature__ = asked.replace(
        parameters=[own, *asked.parameters.values()], return_annotation=gives
    )


def headers_of(key: str | None) -> dict[str, str]:
    """Give the headers of every call."""
    own = {"User-Agent": f"longtale/{__version__}", "Accept": "application/json"}
    return own if key is None else {**own, "Authorization": f"Bearer {key}"}


def written(call: Call) -> dict[str, Any]:
    """Give a call in the words of httpx."""
    headers = {} if call.body is None else {"Content-Type": call.media_type}
    return {
        "method": call.method,
        "url": call.path,
        "params": call.query,
        "content": call.body,
        "headers": headers,
    }


def answer_in(response: httpx.Response) -> Any:
    """Give what was answered.

    Raises:
        RefusedError: the service refuses.
        ServiceError: what answered is no Longtale.
    """
    if not response.is_success:
        raise refusal(response.status_code, response.headers, response.content)
    try:
        return response.json()
    except ValueError:
        raise ServiceError(
            f"{response.url.path} answered with something that is not JSON; is this the address of "
            "a Longtale service?"
        ) from None


def wait_before_next(
    patience: Patience,
    call: Call,
    error: RefusedError | httpx.HTTPError,
    n_before: int,
    url: httpx.URL,
) -> float:
    """Give how long to wait before a call is made again.

    Raises:
        ServiceError: it is not made again.
    """
    if isinstance(error, RefusedError):
        wait_s = patience.after_refusal(error, n_before, is_repeatable=call.is_repeatable)
        if wait_s is None or not call.is_patient:
            raise error
        return wait_s
    is_sure = isinstance(error, _NEVER_SENT) or (
        isinstance(error, _BROKEN_OFF) and call.is_repeatable
    )
    wait_s = patience.after_failure(n_before, is_sure=is_sure)
    if wait_s is None or not call.is_patient:
        where = f"{url.scheme}://{url.netloc.decode('ascii')}"
        raise ServiceError(
            f"no answer from the service at {where}: {str(error) or type(error).__name__}; "
            "see that it runs (longtale serve) and that the address is right"
        ) from error
    return wait_s
