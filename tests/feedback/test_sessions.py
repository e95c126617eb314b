from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services import RedisServer, wait_until

from longtale.errors import MissingExtraError, SettingsError
from longtale.feedback.redis_link import RedisLink
from longtale.feedback.sessions import (
    MOST_ITEMS,
    MemoryLimiter,
    MemorySessions,
    RedisLimiter,
    RedisSessions,
    open_limiter,
    open_sessions,
)

HOUR = 3600.0


@pytest.fixture
def link(redis_url: str):
    link = RedisLink(redis_url)
    yield link
    link.close()


@pytest.fixture(params=["memory", "redis"])
def limiter(request):
    if request.param == "memory":
        return MemoryLimiter()
    return RedisLimiter(request.getfixturevalue("link"))


@pytest.fixture(params=["memory", "redis"])
def sessions(request):
    if request.param == "memory":
        return MemorySessions()
    return RedisSessions(request.getfixturevalue("link"))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_no_more(limiter):
    taken = [limiter.take("key", 1 / HOUR, 3, 0.0) for _ in range(5)]
    assert [each.is_allowed for each in taken] == [True, True, True, False, False]
    assert [each.remaining for each in taken] == [2, 1, 0, 0, 0]
    assert [each.retry_after_s == 0 for each in taken] == [True, True, True, False, False]
    assert taken[-1].retry_after_s == pytest.approx(HOUR, rel=0.01)
    assert taken[-1].reset_s == pytest.approx(3 * HOUR, rel=0.01)
    assert taken[0].reset_s == pytest.approx(HOUR, rel=0.01)


def test_keys_are_counted_apart(limiter):
    assert limiter.take("a", 1 / HOUR, 1, 0.0).is_allowed
    assert limiter.take("b", 1 / HOUR, 1, 0.0).is_allowed
    assert not limiter.take("a", 1 / HOUR, 1, 0.0).is_allowed


def test_a_token_comes_back_in_its_time():
    limiter = MemoryLimiter()
    assert limiter.take("key", 2.0, 1, 10.0).is_allowed
    assert not limiter.take("key", 2.0, 1, 10.4).is_allowed
    assert limiter.take("key", 2.0, 1, 10.5).is_allowed


def test_a_shared_token_comes_back_by_the_clock_of_redis(link):
    limiter = RedisLimiter(link)
    assert limiter.take("key", 20.0, 1, 0.0).is_allowed
    wait_until(lambda: limiter.take("key", 20.0, 1, 0.0).is_allowed, "a token is back")


def test_processes_count_together_and_none_is_allowed_twice(redis_url):
    links = [RedisLink(redis_url) for _ in range(4)]
    limiters = [RedisLimiter(link) for link in links]
    with ThreadPoolExecutor(8) as threads:
        taken = threads.map(lambda k: limiters[k % 4].take("key", 1 / HOUR, 25, 0.0), range(120))
        assert sum(each.is_allowed for each in taken) == 25
    for link in links:
        link.close()


def test_redis_forgets_a_bucket_that_is_full_again(link, redis_server):
    RedisLimiter(link).take("key", 50.0, 2, 0.0)
    with redis_server.client() as client:
        wait_until(lambda: client.dbsize() == 0, "the bucket is full")


def test_the_keys_of_a_process_are_bounded_and_the_oldest_is_forgotten():
    limiter = MemoryLimiter(most_keys=2)
    for key in ("a", "b", "a", "c"):
        limiter.take(key, 1 / HOUR, 2, 0.0)
    assert limiter.take("a", 1 / HOUR, 2, 0.0).is_allowed is False
    assert limiter.take("b", 1 / HOUR, 2, 0.0).remaining == 1


@given(
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=60),
    per_s=st.floats(0.1, 20),
    burst=st.integers(1, 10),
)
def test_never_more_than_the_burst_and_the_rate_are_allowed(steps, per_s, burst):
    limiter, now, n_allowed = MemoryLimiter(), 0.0, 0
    for step in steps:
        now += step
        allowance = limiter.take("key", per_s, burst, now)
        n_allowed += allowance.is_allowed
        assert 0 <= allowance.remaining < burst
        assert allowance.is_allowed == (allowance.retry_after_s == 0)
        assert n_allowed <= burst + per_s * now + 1e-6
        if not allowance.is_allowed:
            now += allowance.retry_after_s + 1e-6
            assert limiter.take("key", per_s, burst, now).is_allowed
            n_allowed += 1


def test_recent_items_come_oldest_first(sessions):
    sessions.add("s", ["a", "b"])
    sessions.add("s", ["c", "猫"])
    sessions.add("other", ["x"])
    assert sessions.recent("s", 3) == ["b", "c", "猫"]
    assert sessions.recent("s", 99) == ["a", "b", "c", "猫"]
    assert sessions.recent("s", 0) == []
    assert sessions.recent("nobody", 5) == []


def test_adding_nothing_changes_nothing(sessions):
    sessions.add("s", [])
    assert sessions.recent("s", 5) == []


def test_only_the_last_items_are_remembered(sessions):
    sessions.add("s", [f"i{k}" for k in range(MOST_ITEMS + 5)])
    sessions.add("s", ["last"])
    assert sessions.recent("s", 999) == [f"i{k}" for k in range(6, MOST_ITEMS + 5)] + ["last"]


def test_a_session_ends_some_time_after_its_last_item():
    clock = Clock()
    sessions = MemorySessions(lifetime_s=10, clock=clock)
    sessions.add("s", ["a"])
    clock.now = 9
    sessions.add("s", ["b"])
    clock.now = 18
    assert sessions.recent("s", 9) == ["a", "b"]
    clock.now = 19
    assert sessions.recent("s", 9) == []
    sessions.add("s", ["c"])
    assert sessions.recent("s", 9) == ["c"]


def test_a_shared_session_ends_some_time_after_its_last_item(link, redis_server):
    sessions = RedisSessions(link, lifetime_s=0.2)
    sessions.add("s", ["a"])
    assert sessions.recent("s", 9) == ["a"]
    with redis_server.client() as client:
        wait_until(lambda: client.dbsize() == 0, "the session has ended")
    assert sessions.recent("s", 9) == []


def test_the_sessions_of_a_process_are_bounded_and_the_oldest_is_forgotten():
    sessions = MemorySessions(most_sessions=2)
    for session in ("a", "b", "a", "c"):
        sessions.add(session, [session])
    assert sessions.recent("a", 9) == ["a", "a"]
    assert sessions.recent("b", 9) == []


def test_processes_share_sessions(redis_url):
    here, there = RedisLink(redis_url), RedisLink(redis_url)
    RedisSessions(here).add("s", ["a"])
    RedisSessions(there).add("s", ["b"])
    assert RedisSessions(here).recent("s", 9) == ["a", "b"]
    here.close()
    there.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_without_redis_each_process_counts_and_remembers_for_itself_until_it_is_back(
    redis_server: RedisServer, link, end
):
    limiter, sessions = RedisLimiter(link), RedisSessions(link)
    limiter.take("key", 1 / HOUR, 1, 0.0)
    sessions.add("s", ["a"])
    assert not limiter.is_degraded and not sessions.is_degraded
    getattr(redis_server, end)()
    try:
        assert [limiter.take("key", 1 / HOUR, 2, 0.0).is_allowed for _ in range(3)] == [
            True,
            True,
            False,
        ]
        sessions.add("s", ["b"])
        assert sessions.recent("s", 9) == ["a", "b"]
        assert limiter.is_degraded and sessions.is_degraded
    finally:
        redis_server.start()

    def is_back() -> bool:
        sessions.add("t", ["c"])
        return not sessions.is_degraded

    wait_until(is_back, "redis is found again")
    assert not limiter.is_degraded
    with redis_server.client() as client:
        assert client.lrange("longtale:session:t", 0, -1)[-1] == "c"
    assert sessions.recent("s", 9) == (["a"] if end == "stop" else [])


def test_a_redis_that_was_away_while_nobody_asked_is_not_noticed(redis_server, link):
    sessions = RedisSessions(link)
    sessions.add("s", ["a"])
    with redis_server.stopped():
        pass
    sessions.add("s", ["b"])
    assert sessions.recent("s", 9) == ["a", "b"]
    assert not sessions.is_degraded


def test_a_redis_that_hangs_is_asked_once_and_then_let_be(redis_server, link):
    sessions = RedisSessions(link)
    sessions.add("s", ["a"])
    asked = 0

    def question(client):
        nonlocal asked
        asked += 1
        return client.ping()

    with redis_server.frozen():
        answers = [link.ask(question, instead=lambda: "away") for _ in range(20)]
    assert answers == ["away"] * 20
    assert asked < 5


def test_a_redis_that_was_never_there_does_not_hinder(tmp_path):
    url = f"unix://{tmp_path / 'no.sock'}"
    limiter, sessions = open_limiter(url), open_sessions(url)
    assert limiter.take("key", 1.0, 1, 0.0).is_allowed
    assert not limiter.take("key", 1.0, 1, 0.0).is_allowed
    sessions.add("s", ["a"])
    assert sessions.recent("s", 9) == ["a"]
    assert limiter.is_degraded and sessions.is_degraded


def test_memory_is_of_one_process():
    limiter, sessions = open_limiter("memory:"), open_sessions("memory:")
    assert isinstance(limiter, MemoryLimiter)
    assert isinstance(sessions, MemorySessions)
    assert not limiter.is_degraded and not sessions.is_degraded


@pytest.mark.parametrize("open_", [open_limiter, open_sessions])
@pytest.mark.parametrize("url", ["", "localhost:6379", "memcached://user:geheim@host"])
def test_other_addresses_are_refused_and_no_password_is_shown(open_, url):
    with pytest.raises(SettingsError, match="expected memory: or redis://") as caught:
        open_(url)
    assert "geheim" not in str(caught.value)


def test_an_address_that_redis_cannot_read_is_refused():
    with pytest.raises(SettingsError, match="the address of Redis cannot be read"):
        open_sessions("redis://user:geheim@host:port/0")


def test_a_missing_client_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'longtale\[stores\]'"):
        open_sessions("redis://localhost")
