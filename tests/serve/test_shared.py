"""Two workers on one PostgreSQL and one Redis: what one is told, the other knows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient
from tests.serve.conftest import asking, copy_of
from tests.serve.said import history
from tests.services import (
    PostgresServer,
    RedisServer,
    postgres_server,
    postgres_url,
    redis_server,
    redis_url,
    wait_until,
)

from longtale.recommend.project import Project
from longtale.serve.opening import open_service
from longtale.serve.service import Service

__all__ = ["postgres_server", "postgres_url", "redis_server", "redis_url"]
Pair = tuple[Service, Service]


@pytest.fixture
def pair(shop: Project, tmp_path, postgres_url: str, redis_url: str) -> Iterator[Pair]:
    project = copy_of(shop, tmp_path / "shop")
    places = {"store": postgres_url, "sessions": redis_url}
    serve = project.settings.serve.model_copy(update=places)
    project = Project(project.settings.model_copy(update={"serve": serve}), project.folder)
    services = (open_service(project), open_service(project))
    yield services
    for service in services:
        service.close()


def shown(client: TestClient, path: str = "/v1/recommend/ann", **query: object) -> list[str]:
    answer = client.get(path, params={"n": 99, **query})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_every_write_at_one_worker_is_in_the_next_answer_of_the_other(pair):
    one, other = map(asking, pair)
    seq = 0
    for method, path, body, gone in (
        ("POST", "/v1/events", {"kind": "view", "user": "ann", "item": "i0"}, "i0"),
        ("PUT", "/v1/rules/r", {"action": "hide", "items": ["i1"]}, "i1"),
        ("PUT", "/v1/users/ann/taste", {"muted": ["i2"]}, "i2"),
        ("DELETE", "/v1/items/i3", None, "i3"),
        ("PATCH", "/v1/items/i4", {"hidden": True}, "i4"),
    ):
        assert gone in shown(other, min_seq=seq)
        seq = one.request(method, path, json=body).json()["seq"]
        assert gone not in shown(other, min_seq=seq)
        one, other = other, one


def test_changes_of_one_document_at_both_workers_are_all_made(pair):
    clients = [asking(service) for service in pair]
    clients[0].put("/v1/users/ann", json={"about": "x"})

    def change(number: int) -> int:
        client = clients[number % 2]
        return client.patch("/v1/users/ann", json={f"n{number}": number}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(24))) == {200}
    pair[0].engine.catch_up()
    whole = {"id": "ann", "about": "x", **{f"n{number}": number for number in range(24)}}
    assert clients[0].get("/v1/users/ann").json() == whole


def test_a_session_is_known_to_both_and_counts_each_event_once(pair):
    one, other = map(asking, pair)
    row = {"kind": "view", "session": "s", "item": "i0", "event_id": "e"}
    for client in (one, other, one):
        client.post("/v1/events", json=row)
    for service in pair:
        service.engine.catch_up()
        assert service.visits.of("s").touched == ("i0",)


def test_who_is_forgotten_at_one_worker_is_a_stranger_to_the_other(pair):
    one, other = map(asking, pair)
    seq = one.post("/v1/events", json={"kind": "view", "user": "ann", "item": "i0"}).json()["seq"]
    assert "i0" not in shown(other, min_seq=seq)
    assert one.post("/v1/users/ann/forget").json()["verified"] is True
    pair[1].engine.catch_up()
    assert "i0" in shown(other)
    assert history(pair[1].engine, "ann") == []


def test_a_promotion_at_one_worker_is_followed_by_the_other(pair):
    one, other = map(asking, pair)
    seq = one.post("/v1/models/second/promote").json()["seq"]
    assert shown(other, min_seq=seq)
    pair[1].engine.renew()
    assert other.get("/v1/status").json()["model_version"] == "second"
    other.post("/v1/models/rollback")
    pair[0].engine.catch_up()
    pair[0].engine.renew()
    assert one.get("/v1/status").json()["model_version"] != "second"


def test_while_postgresql_is_away_lists_go_on_and_writes_are_refused(
    pair, postgres_server: PostgresServer
):
    one, other = map(asking, pair)
    row = {"kind": "view", "user": "ann", "item": "i0", "event_id": "e"}
    with postgres_server.stopped():
        answer = one.post("/v1/events", json=row)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "i0" in shown(one)
        assert one.get("/v1/recommend/ann").json()["degraded"] == ["store"]
        assert one.get("/v1/health/ready").json()["degraded"] == ["store"]
        assert shown(other)
    wait_until(lambda: one.post("/v1/events", json=row).status_code == 200, "it can be written")
    again = one.post("/v1/events", json=row).json()
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert one.get("/v1/recommend/ann").json()["degraded"] == []
    assert "i0" not in shown(other, min_seq=again["seq"])


def test_while_redis_is_away_each_worker_remembers_for_itself_and_says_so(
    pair, redis_server: RedisServer
):
    one, _ = map(asking, pair)
    with redis_server.stopped():
        done = one.post("/v1/events", json={"kind": "view", "session": "s", "item": "i0"})
        assert done.status_code == 200
        answer = one.post("/v1/sessions/recommend", json={"session": "s", "n": 99}).json()
        assert "i0" not in [item["id"] for item in answer["items"]]
        assert answer["degraded"] == ["sessions"]
