from __future__ import annotations

import pytest
from tests.serve.wire import Told, ask, fine, request

from longtale.feedback.sessions import Allowance, MemoryLimiter
from longtale.monitor.telemetry import Telemetry
from longtale.recommend.service_settings import AdmissionSettings
from longtale.serve.headers import Envelope
from longtale.serve.keys import Key, Scope
from longtale.serve.problems import Problems
from longtale.serve.rates import RateLimit

SETTINGS = AdmissionSettings(requests_per_s=0.5, burst=2)
KEY = Key(id="0123", hash="", scope=Scope.READ, name="", created_at=0)


class Elsewhere:
    """A limiter that has to be asked over a network."""

    is_degraded = False

    def __init__(self) -> None:
        self._own = MemoryLimiter()

    def take(self, key: str, per_s: float, burst: int, now: float) -> Allowance:
        return self._own.take(key, per_s, burst, now)


class Shop:
    """Somebody who asks with a key, and a clock."""

    def __init__(self, limiter=None, settings=SETTINGS, telemetry=None) -> None:
        self.now = 0.0
        limiter = MemoryLimiter() if limiter is None else limiter
        limit = RateLimit(fine, limiter, settings, telemetry, clock=lambda: self.now)
        self._app = Envelope(Problems(self._known(limit)))

    @staticmethod
    def _known(app):
        async def known(scope, receive, send):
            scope["state"]["key"] = scope.pop("key")
            await app(scope, receive, send)

        return known

    def ask(self, key: Key | None = KEY) -> Told:
        return ask(self._app, request(key=key))


@pytest.mark.parametrize("limiter", [MemoryLimiter(), Elsewhere()], ids=["here", "elsewhere"])
def test_a_key_may_ask_so_often_and_hears_when_again(limiter):
    shop = Shop(limiter)
    told = [shop.ask() for _ in range(3)]
    assert [t.status for t in told] == [200, 200, 429]
    assert [t.headers["ratelimit-remaining"] for t in told] == ["1", "0", "0"]
    assert [t.headers["ratelimit-reset"] for t in told] == ["2", "4", "4"]
    assert {t.headers["ratelimit-limit"] for t in told} == {"2"}
    assert told[2].headers["retry-after"] == "2"
    assert told[2].json["code"] == "rate_limited"
    shop.now += 2
    assert [shop.ask().status for _ in range(2)] == [200, 429]


def test_each_key_has_a_share_of_its_own():
    shop = Shop()
    other = Key(id="4567", hash="", scope=Scope.READ, name="", created_at=0)
    assert [shop.ask().status for _ in range(3)] == [200, 200, 429]
    assert shop.ask(other).status == 200


def test_what_is_open_to_all_has_no_limit():
    shop = Shop()
    told = [shop.ask(None) for _ in range(5)]
    assert {t.status for t in told} == {200}
    assert "ratelimit-limit" not in told[0].headers


def test_no_share_is_no_limit():
    shop = Shop(settings=AdmissionSettings(requests_per_s=0, burst=1))
    assert {shop.ask().status for _ in range(5)} == {200}


def test_telemetry_knows_who_asked_too_often():
    telemetry = Telemetry()
    shop = Shop(telemetry=telemetry)
    for _ in range(5):
        shop.ask()
    assert telemetry.value("longtale_requests_turned_away_total", "rate") == 3
