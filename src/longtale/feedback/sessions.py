"""What processes share for a short while: the items of a session, and who may ask how often."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from longtale.errors import SettingsError
from longtale.feedback.redis_link import RedisLink

if TYPE_CHECKING:
    from redis import Redis

MOST_ITEMS = 50
"""Items of a session that are remembered."""
LIFETIME_S = 3600.0
"""How long a session is remembered after its last item."""
_MOST_SESSIONS = 100_000
_MOST_KEYS = 100_000
_REDIS = ("redis://", "rediss://", "unix://")

# A bucket is full when nothing is known of it, so Redis forgets it once it is full again.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local per_s, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = burst
if bucket[1] then
    local passed = math.max(0, now - tonumber(bucket[2]))
    tokens = math.min(burst, tonumber(bucket[1]) + passed * per_s)
end
local is_allowed = tokens >= 1 and 1 or 0
tokens = tokens - is_allowed
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens),
    'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / per_s * 1000) + 1)
return {is_allowed, string.format('%.17g', tokens)}
"""


@dataclass(frozen=True)
class Allowance:
    """Whether somebody may ask now.

    Args:
        is_allowed: they may.
        remaining: how often they may ask again at once.
        retry_after_s: when they may ask again; 0 where they may now.
        reset_s: when they may ask as often as ever.
    """

    is_allowed: bool
    remaining: int
    retry_after_s: float
    reset_s: float

    @classmethod
    def of(cls, is_allowed: bool, tokens: float, per_s: float, burst: int) -> Allowance:
        """Say what a bucket allows that has so many tokens left."""
        wait_s = 0.0 if is_allowed else (1 - tokens) / per_s
        return cls(is_allowed, math.floor(tokens), wait_s, (burst - tokens) / per_s)


class Limiter(Protocol):
    """Counts how often each key asks, by a token bucket.

    A bucket holds `burst` tokens at most and gains `per_s` a second; a request takes one.
    """

    @property
    def is_degraded(self) -> bool:
        """Whether each process counts for itself where they should count together."""
        ...

    def take(self, key: str, per_s: float, burst: int, now: float) -> Allowance:
        """Take a token where there is one.

        Args:
            key: who asks.
            per_s: requests per second in the mean, above 0.
            burst: requests at once, 1 or more.
            now: seconds of a clock that does not go back; a shared limiter has its own.
        """
        ...


class MemoryLimiter:
    """A `Limiter` of one process; what was used longest ago is forgotten first.

    Example:
        >>> limiter = MemoryLimiter()
        >>> limiter.take("key", per_s=2.0, burst=1, now=0.0).is_allowed
        True
        >>> limiter.take("key", per_s=2.0, burst=1, now=0.0).retry_after_s
        0.5
    """

    is_degraded = False

    def __init__(self, *, most_keys: int = _MOST_KEYS) -> None:
        self._most_keys = most_keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str, per_s: float, burst: int, now: float) -> Allowance:
        with self._lock:
            tokens, at = self._buckets.pop(key, (float(burst), now))
            tokens = min(float(burst), tokens + max(0.0, now - at) * per_s)
            is_allowed = tokens >= 1
            tokens -= is_allowed
            self._buckets[key] = tokens, now
            if len(self._buckets) > self._most_keys:
                self._buckets.popitem(last=False)
        return Allowance.of(is_allowed, tokens, per_s, burst)


class RedisLimiter:
    """A `Limiter` that all processes share, by the clock of Redis; without Redis each has its own.

    Args:
        link: to Redis.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._own = MemoryLimiter()

    @property
    def is_degraded(self) -> bool:
        return self._link.is_degraded

    def take(self, key: str, per_s: float, burst: int, now: float) -> Allowance:
        def shared(redis: Redis) -> Allowance:
            is_allowed, tokens = redis.eval(_TAKE, 1, f"longtale:limit:{key}", per_s, burst)
            return Allowance.of(bool(is_allowed), float(tokens), per_s, burst)

        return self._link.ask(shared, instead=lambda: self._own.take(key, per_s, burst, now))


class Sessions(Protocol):
    """The last items of people without an account."""

    @property
    def is_degraded(self) -> bool:
        """Whether each process remembers for itself where they should share."""
        ...

    def add(self, session: str, items: Sequence[str]) -> None:
        """Remember what somebody chose, the oldest first."""
        ...

    def recent(self, session: str, n: int) -> list[str]:
        """Give the last n items of a session, the oldest of these first."""
        ...


class MemorySessions:
    """The `Sessions` of one process; those longest untouched are forgotten first.

    Args:
        most_sessions: how many are remembered.
        lifetime_s: how long each is, from its last item on.
        clock: gives seconds.
    """

    is_degraded = False

    def __init__(
        self,
        *,
        most_sessions: int = _MOST_SESSIONS,
        lifetime_s: float = LIFETIME_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_sessions = most_sessions
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, deque[str]]] = OrderedDict()
        self._lock = Lock()

    def add(self, session: str, items: Sequence[str]) -> None:
        with self._lock:
            known = self._alive(session)
            known.extend(items)
            self._known[session] = self._clock(), known
            self._known.move_to_end(session)
            if len(self._known) > self._most_sessions:
                self._known.popitem(last=False)

    def recent(self, session: str, n: int) -> list[str]:
        with self._lock:
            items = list(self._alive(session))
        return items[max(0, len(items) - n) :]

    def _alive(self, session: str) -> deque[str]:
        at, items = self._known.get(session, (-math.inf, deque[str](maxlen=MOST_ITEMS)))
        return items if self._clock() - at < self._lifetime_s else deque(maxlen=MOST_ITEMS)


class RedisSessions:
    """The `Sessions` that all processes share; without Redis each remembers what it saw itself.

    What is added while Redis is away is not told to it later.

    Args:
        link: to Redis.
        lifetime_s: how long a session is remembered, from its last item on.
    """

    def __init__(self, link: RedisLink, *, lifetime_s: float = LIFETIME_S) -> None:
        self._link = link
        self._lifetime_ms = round(1000 * lifetime_s)
        self._own = MemorySessions(lifetime_s=lifetime_s)

    @property
    def is_degraded(self) -> bool:
        return self._link.is_degraded

    def add(self, session: str, items: Sequence[str]) -> None:
        def share(redis: Redis) -> None:
            with redis.pipeline(transaction=True) as together:
                together.rpush(_key(session), *items)
                together.ltrim(_key(session), -MOST_ITEMS, -1)
                together.pexpire(_key(session), self._lifetime_ms)
                together.execute()

        if items:
            self._own.add(session, items)
            self._link.ask(share, instead=lambda: None)

    def recent(self, session: str, n: int) -> list[str]:
        def shared(redis: Redis) -> list[str]:
            return [str(item) for item in redis.lrange(_key(session), -n, -1)]

        if n < 1:
            return []
        return self._link.ask(shared, instead=lambda: self._own.recent(session, n))


def open_limiter(url: str) -> Limiter:
    """Give the limiter of a URL: `memory:` or `redis://...`; raises as `open_sessions` does."""
    return RedisLimiter(RedisLink(url)) if _is_redis(url) else MemoryLimiter()


def open_sessions(url: str) -> Sessions:
    """Give the sessions of a URL: `memory:` or `redis://...`.

    Raises:
        SettingsError: it is neither.
        MissingExtraError: the package `redis` is not installed.
    """
    return RedisSessions(RedisLink(url)) if _is_redis(url) else MemorySessions()


def _is_redis(url: str) -> bool:
    if url.startswith(_REDIS):
        return True
    if url == "memory:":
        return False
    scheme = url.partition("//")[0]  # what follows may hold a password
    raise SettingsError(
        f"sessions cannot be shared by an address that begins with '{scheme}'; expected memory: "
        "or redis://user:password@host:6379/0"
    )


def _key(session: str) -> str:
    return f"longtale:session:{session}"
