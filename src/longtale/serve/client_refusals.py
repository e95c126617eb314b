"""What a client does when the service refuses: try again after a while, or raise."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from longtale.errors import ServiceError

LONGEST_WAIT_S = 30.0
"""Who is asked to wait longer is told so instead."""
_FIRST_WAIT_S = 0.1
_TRY_AGAIN = frozenset([429, 503])
_NOT_BEGUN = frozenset(["rate_limited", "overloaded", "stopping"])
"""Codes of requests that were turned away before anything was done for them."""
_MOST_SHOWN = 300


class RefusedError(ServiceError):
    """The service answered that it cannot do as asked.

    Args:
        status: of HTTP.
        code: what kind of refusal it is, see `longtale.serve.problems.Code`; empty where something
            on the way answered in place of the service.
        detail: what is wrong.
        hint: what to do.
        pointer: JSON pointer to the part of the body that is wrong; None where no part is.
        request_id: under which the service logged it.
        retry_after_s: when to ask again, seconds; None where that was not said.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        hint: str = "",
        pointer: str | None = None,
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        where = f" (at '{pointer}')" if pointer else ""
        super().__init__(
            f"{status} {code or 'without a code'}: {detail}{where}" + (f"; {hint}" if hint else "")
        )
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        self.pointer = pointer
        self.request_id = request_id
        self.retry_after_s = retry_after_s


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> RefusedError:
    """Give the error that an answer is.

    Args:
        status: of HTTP, 400 or more.
        headers: names are lower case, or looked up in any case.
        body: a problem document, or whatever something on the way sent.
    """
    told = _problem(body)
    shown = body[:_MOST_SHOWN].decode("utf-8", "replace").strip()
    return RefusedError(
        status=status,
        code=str(told.get("code", "")),
        detail=str(told.get("detail", shown or "the answer is empty")),
        hint=str(told.get("hint", "")),
        pointer=told.get("pointer"),
        request_id=str(told.get("request_id", headers.get("x-request-id", ""))),
        retry_after_s=seconds_until(headers.get("retry-after", "")),
    )


def seconds_until(said: str) -> float | None:
    """Give the seconds that `Retry-After` names, as a number or as a date; None for anything else.

    Example:
        >>> seconds_until("3"), seconds_until("soon")
        (3.0, None)
    """
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


@dataclass(frozen=True)
class Patience:
    """How often and when to try again.

    The wait is drawn between nothing and a bound that doubles each time, so that those who were
    refused together do not come back together (Brooker, Exponential Backoff And Jitter, 2015). It
    comes on top of what the service asked for.

    Args:
        retries: how often.
        rng: draws the waits.
    """

    retries: int
    rng: random.Random = field(default_factory=random.Random, repr=False)

    def after_refusal(
        self, error: RefusedError, n_before: int, *, is_repeatable: bool
    ) -> float | None:
        """Give how long to wait before asking again, seconds; None is not to ask again.

        Args:
            error: the refusal.
            n_before: how often it was asked again already.
            is_repeatable: doing it twice is the same as doing it once.
        """
        is_sure = is_repeatable or error.code in _NOT_BEGUN
        least_s = 0.0 if error.retry_after_s is None else error.retry_after_s
        if error.status not in _TRY_AGAIN or not is_sure or least_s > LONGEST_WAIT_S:
            return None
        return self._wait_s(least_s, n_before)

    def after_failure(self, n_before: int, *, is_sure: bool) -> float | None:
        """Give how long to wait after a connection failed.

        Args:
            n_before: how often it was asked again already.
            is_sure: asking again does no harm.
        """
        return self._wait_s(0.0, n_before) if is_sure else None

    def _wait_s(self, least_s: float, n_before: int) -> float | None:
        if n_before >= self.retries:
            return None
        return least_s + self.rng.uniform(0, min(_FIRST_WAIT_S * 2**n_before, LONGEST_WAIT_S))


def _problem(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
