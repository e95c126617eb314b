"""What the service says when it cannot do as asked: RFC 9457 problem details.

Every refusal is one `Problem`, whose `code` is a member of `Code`: a closed list, on which programs
may rely. `detail` says what is wrong with this request, `pointer` (a JSON pointer, RFC 6901) where
in the body, `hint` what to do. What was not foreseen is told as `internal`, without a word of what
happened inside; the log has it under the request's id.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longtale import log
from longtale.errors import (
    DataError,
    FilterError,
    LongtaleError,
    QueryError,
    SourceError,
    StoreError,
    UnknownIdError,
)
from longtale.serve.headers import state_of

MEDIA_TYPE = "application/problem+json"
STORE_RETRY_S = 2
"""When to try again after the store failed: it is asked anew with every request."""
_MOST_SHOWN = 1000
"""Signs of a detail or hint that are sent: both may quote what the caller wrote."""


class Code(StrEnum):
    """All that can go wrong: the word in the answer, its status, its title
    (`summary`, since every text has a method `title`).
    """

    status: int
    summary: str

    def __new__(cls, word: str, status: int, summary: str) -> Self:
        """Make a member out of its three parts."""
        code = str.__new__(cls, word)
        code._value_ = word
        code.status = status
        code.summary = summary
        return code

    BAD_REQUEST = "bad_request", 400, "The request cannot be read"
    BAD_BODY = "bad_body", 400, "The body cannot be read"
    UNAUTHENTICATED = "unauthenticated", 401, "A valid key is needed"
    FORBIDDEN = "forbidden", 403, "The key does not reach so far"
    NOT_FOUND = "not_found", 404, "Nothing is served at this address"
    UNKNOWN_ID = "unknown_id", 404, "There is nothing with this id"
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "This address does not know the method"
    TOO_SLOW = "too_slow", 408, "The request took too long to come"
    CONFLICT = "conflict", 409, "The request does not fit the state of things"
    BODY_TOO_LARGE = "body_too_large", 413, "The body is too large"
    URL_TOO_LONG = "url_too_long", 414, "The address is too long"
    BAD_MEDIA_TYPE = "bad_media_type", 415, "The body is of a kind that is not read here"
    BAD_ENCODING = "bad_encoding", 415, "The body is packed in a way that is not read here"
    BAD_QUERY = "bad_query", 422, "The request cannot be answered as asked"
    BAD_FILTER = "bad_filter", 422, "The filter cannot be applied"
    BAD_DATA = "bad_data", 422, "What was sent cannot be used"
    RATE_LIMITED = "rate_limited", 429, "The key has used up its share of requests"
    HEADERS_TOO_LARGE = "headers_too_large", 431, "The headers are too many or too large"
    INTERNAL = "internal", 500, "Something went wrong here"
    OVERLOADED = "overloaded", 503, "There is more to do than can be done in time"
    STOPPING = "stopping", 503, "This process is about to stop"
    NOT_READY = "not_ready", 503, "This process is not ready yet"
    BEHIND = "behind", 503, "What was asked for is not known here yet"
    STORE_UNAVAILABLE = "store_unavailable", 503, "Events cannot be kept at the moment"


class Problem(Exception):  # noqa: N818  RFC 9457 calls it so
    """A refusal that is ready to be sent.

    Args:
        code: what kind it is; gives status and title.
        detail: what is wrong with this request, with the value seen and what is allowed.
        pointer: JSON pointer to the part of the body that is wrong; "" is all of it.
        hint: what to do.
        headers: of the answer, such as `Retry-After`.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        pointer: str | None = None,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.hint = hint
        self.headers: Mapping[str, str] = {} if headers is None else headers

    def as_dict(self, request_id: str) -> dict[str, Any]:
        """Give the members of the problem document."""
        members = {
            "type": f"urn:longtale:problem:{self.code.value}",
            "title": self.code.summary,
            "status": self.code.status,
            "code": self.code.value,
            "detail": _sendable(self.detail),
            "request_id": request_id,
        }
        if self.pointer is not None:
            members["pointer"] = _sendable(self.pointer)
        if self.hint:
            members["hint"] = _sendable(self.hint)
        return members


@dataclass(frozen=True, eq=False)
class Problems:
    """Answers with a problem document whatever is raised further in.

    Where the answer has begun already nothing more is sent, and the server cuts the connection:
    half an answer does not look like a whole one.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def noticed(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, noticed)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  whoever asked gets an answer
            answer = problem_response(error, scope)
            if not has_begun:
                await answer(scope, receive, send)


def problem_response(error: Exception, scope: Scope) -> Response:
    """Give the answer to a request that failed; what is unforeseen is logged."""
    problem = problem_of(error)
    request_id = state_of(scope).get("request_id", "")
    if problem.code is Code.INTERNAL:
        log.warn("request failed", error=_name(error), at=_place(error), request_id=request_id)
    return Response(
        orjson.dumps(problem.as_dict(request_id)),
        status_code=problem.code.status,
        headers=dict(problem.headers),
        media_type=MEDIA_TYPE,
    )


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what Starlette's router refuses; for `exception_handlers={HTTPException: ...}`."""
    return problem_response(error, request.scope)


def problem_of(error: Exception) -> Problem:
    """Give the problem that an error is to the caller.

    Example:
        >>> problem_of(UnknownIdError("no item 'x'")).code
        <Code.UNKNOWN_ID: 'unknown_id'>
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return _of_router(error)
    if isinstance(error, StoreError):  # its message may hold the address of the store
        return Problem(
            Code.STORE_UNAVAILABLE,
            "the store of events cannot be reached or written",
            hint="send it again with the same event ids: nothing is counted twice",
            headers={"Retry-After": str(STORE_RETRY_S)},
        )
    for kind, code in _CODES.items():
        # A source that cannot be read is trouble of the service's own, its message may hold a path.
        if isinstance(error, kind) and not isinstance(error, SourceError):
            return Problem(code, str(error))
    return _internal()


_CODES: Mapping[type[LongtaleError], Code] = {
    UnknownIdError: Code.UNKNOWN_ID,
    FilterError: Code.BAD_FILTER,
    QueryError: Code.BAD_QUERY,
    DataError: Code.BAD_DATA,
}


def _of_router(error: HTTPException) -> Problem:
    if error.status_code == Code.NOT_FOUND.status:
        return Problem(
            Code.NOT_FOUND, "no endpoint has this path", hint="see /docs for those there are"
        )
    if error.status_code == Code.METHOD_NOT_ALLOWED.status:
        return Problem(
            Code.METHOD_NOT_ALLOWED,
            "the endpoint at this path does not know the method",
            hint="see the header Allow for those it knows",
            headers=error.headers,
        )
    if error.status_code < 500:
        return Problem(Code.BAD_REQUEST, error.detail, headers=error.headers)
    return _internal()


def _internal() -> Problem:
    return Problem(
        Code.INTERNAL,
        "the request could not be answered; it is logged under its request id",
        hint="try again; if it stays so, look for the request id in the log of the service",
    )


def _sendable(text: str) -> str:
    return text[:_MOST_SHOWN].encode("utf-8", "replace").decode("utf-8")


def _name(error: Exception) -> str:
    return type(error).__qualname__


def _place(error: Exception) -> str:
    """Give file and line of where it was raised: a message could hold personal data."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
