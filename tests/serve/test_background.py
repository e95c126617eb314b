from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.serve.conftest import asking
from tests.serve.said import ask, event, history, ids, item, record

from longtale.data.record import RecordKind
from longtale.errors import StoreError
from longtale.feedback.memory_store import MemoryStore
from longtale.serve import background
from longtale.serve.background import Background
from longtale.serve.jobs import Job
from longtale.serve.opening import open_service


def eventually(is_so: Callable[[], bool], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def working(service):
    at_work = Background(service)
    at_work.start()
    yield service
    at_work.stop()


def test_what_others_write_is_followed_placed_and_learned(working, store):
    store.append([event("ann", "i0"), item("new", {"title": "The comet space"})])
    eventually(lambda: history(working.engine, "ann") == ["i0"])
    eventually(lambda: "new" in ids(ask(working.engine, "ann")))
    eventually(lambda: not len(working.engine.world.live.pending))
    assert history(working.engine, "ann") == ["i0"]
    told = working.telemetry
    eventually(lambda: told.value("longtale_applied_seq") == 2)
    assert told.value("longtale_acknowledged_seq") == 2


def test_a_promotion_by_another_process_is_followed(working, store):
    store.append([record(RecordKind.MODEL, "second", {"instead_of": "x"})])
    eventually(lambda: working.engine.world.recommender.version == "second")
    eventually(lambda: working.telemetry.value("longtale_model_info", "second") == 1)


@pytest.mark.parametrize("name", ["renew", "learn", "catch_up"])
def test_work_that_fails_is_told_and_tried_again(service, store, monkeypatch, name):
    job = {"renew": "catalog", "learn": "learn", "catch_up": "follow"}[name]
    work, n_failures = getattr(service.engine, name), 0

    def fail_at_first(*given):
        nonlocal n_failures
        n_failures += 1
        if n_failures <= 3:
            raise ZeroDivisionError("ann@example.org is not to be told")
        return work(*given)

    monkeypatch.setattr(service.engine, name, fail_at_first)
    at_work = Background(service)
    at_work.start()
    store.append([event("ann", "i0"), item("new", {"title": "x"})])
    eventually(lambda: service.jobs[job].n_failed == 3)
    eventually(lambda: "new" in ids(ask(service.engine, "bob")))
    eventually(lambda: not len(service.engine.world.live.pending))
    at_work.stop()
    told = service.jobs[job].as_dict()
    assert told["failed"] == 3
    assert told["last_error"] == "ZeroDivisionError"
    assert history(service.engine, "ann") == ["i0"]


class Lost(MemoryStore):
    """A store that can be lost and found."""

    is_lost = False

    def last_seq(self):
        if self.is_lost:
            raise StoreError("it cannot be reached")
        return super().last_seq()


def test_a_store_that_is_lost_is_flagged_and_followed_again_when_it_is_back(shop, monkeypatch):
    monkeypatch.setattr(background, "SETTLES_S", 0.05)
    store = Lost()
    service = open_service(shop, store=store)
    at_work = Background(service)
    at_work.start()
    store.is_lost = True
    eventually(lambda: service.degraded == ("store",))
    assert asking(service).get("/v1/recommend/u0").json()["degraded"] == ["store"]
    assert service.telemetry.value("longtale_store_up", "events") == 0
    store.append([event("ann", "i0")])
    store.is_lost = False
    eventually(lambda: service.degraded == ())
    eventually(lambda: history(service.engine, "ann") == ["i0"])
    assert service.telemetry.value("longtale_store_up", "events") == 1
    at_work.stop()
    service.close()


def test_a_store_that_failed_to_write_stays_flagged_while_it_can_still_be_read(working):
    """A full disk can be read; that it can says nothing of the next event."""
    working.note_store(is_up=False)
    done = working.jobs["follow"].n_done
    eventually(lambda: working.jobs["follow"].n_done > done + 3)
    assert working.degraded == ("store",)


def test_it_stops_after_what_was_begun(service):
    at_work = Background(service)
    at_work.start()
    at_work.stop()
    done = service.jobs["follow"].n_done
    time.sleep(0.2)
    assert service.jobs["follow"].n_done == done


def test_jobs_tell_what_was_done_and_what_waits(live):
    live.put("/v1/items/new", json={"title": "x"})
    names = {"follow", "catalog", "learn"}

    def told() -> dict[str, dict]:
        return {job["name"]: job for job in live.get("/v1/jobs").json()["jobs"]}

    eventually(lambda: all(told()[name]["done"] > 0 for name in names))
    eventually(lambda: all(told()[name]["waiting"] == 0 for name in names))
    for job in told().values():
        assert job["last_began"].endswith("+00:00")
        assert job["last_took_ms"] >= 0
        assert (job["failed"], job["last_error"]) == (0, None)
    assert told()["learn"]["every_s"] == 0.2


def test_a_job_that_was_never_begun_says_so():
    told = Job("learn", 30.0).as_dict()
    assert (told["last_began"], told["done"], told["last_error"]) == (None, 0, None)
    job = Job("learn", 30.0)
    with pytest.raises(KeyError, match="secret"), job.once():
        raise KeyError("secret")
    assert (job.n_done, job.n_failed, job.last_error) == (0, 1, "KeyError")
