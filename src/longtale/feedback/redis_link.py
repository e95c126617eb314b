"""A Redis that may go away and come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from longtale import log
from longtale.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar("T")
_ANSWER_S = 0.25  # many times what a Redis nearby takes; a request waits this long once a second
_REST_S = 1.0


class RedisLink:
    """Asks a Redis while it answers, and does without it while it does not.

    One question a second is risked on a Redis that is away; all others are answered without it at
    once.

    Args:
        url: `redis://host:port/number`, `rediss://` for TLS, `unix://FILE`.

    Raises:
        MissingExtraError: the package `redis` is not installed.
        SettingsError: it is no such URL.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ModuleNotFoundError:
            raise MissingExtraError(
                "redis", extra="stores", purpose="sharing sessions and limits"
            ) from None
        self._errors = (redis.RedisError, OSError)
        self._retry_at = 0.0
        self.is_degraded = False
        """Whether the last question found no Redis."""
        try:
            self._redis = redis.Redis.from_url(
                url,
                decode_responses=True,
                encoding_errors="surrogatepass",
                socket_timeout=_ANSWER_S,
                socket_connect_timeout=_ANSWER_S,
                retry=Retry(NoBackoff(), 0),  # what fails is answered without it
            )
        except ValueError as error:
            raise SettingsError(
                f"the address of Redis cannot be read: {error}; one looks like "
                "redis://user:password@host:6379/0"
            ) from None

    def ask(self, question: Callable[[Redis], T], *, instead: Callable[[], T]) -> T:
        """Give what Redis answers, or what is said instead where it does not."""
        if self.is_degraded:
            now = time.monotonic()
            if now < self._retry_at:
                return instead()
            self._retry_at = now + _REST_S  # so that others do not wait for this try
        try:
            answer = question(self._redis)
        except self._errors as error:
            self._retry_at = time.monotonic() + _REST_S
            self._turn(is_degraded=True, reason=error)
            return instead()
        self._turn(is_degraded=False)
        return answer

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _turn(self, *, is_degraded: bool, reason: Exception | None = None) -> None:
        if is_degraded is self.is_degraded:
            return
        self.is_degraded = is_degraded
        if is_degraded:
            log.warn("redis is away", reason=reason)
        else:
            log.info("redis is back")
