"""Items, users and tastes over HTTP: put, change, give, list, take away, export, forget."""

from __future__ import annotations

import json
import threading
import time
from typing import NoReturn
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.conftest import asking, copy_of
from tests.serve.said import event, history, item, record
from tests.serve.shop import ODD_ITEM

from longtale.data.record import RecordKind
from longtale.errors import StoreError
from longtale.feedback.memory_store import MemoryStore
from longtale.feedback.sqlite_store import SQLiteStore
from longtale.serve.opening import open_service


def keep_slates(service) -> None:
    """Wait until all slates are in the store."""
    deadline = time.monotonic() + 20
    while service.keeper.n_waiting:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def raising(error: Exception):
    def fail(*_: object) -> NoReturn:
        raise error

    return fail


def every(client, noun: str, **query) -> list[dict]:
    """Visit all pages of a list."""
    found, cursor, n_pages = [], "", 0
    while True:
        page = client.get(f"/v1/{noun}", params={**query, "cursor": cursor}).json()
        found += page[noun]
        n_pages += 1
        assert n_pages < 500
        if not (cursor := page["next"]):
            return found


def test_a_document_is_given_as_it_was_put_with_what_of_it_is_used(client):
    body = {"title": "Rain", "year": 2026, "colour": {"rgb": [1, 2]}, "genres": ["a", "b"]}
    put = client.put("/v1/items/new", json=body).json()
    assert put["body"] == body
    assert put["indexed"] == {
        "text": ["genres", "title"],
        "attributes": ["year"],
        "only_kept": ["colour"],
    }
    assert client.get("/v1/items/new").json() == {"id": "new", **body}
    assert client.get("/v1/items/i1").json() == {
        "id": "i1",
        "title": "The rocket space",
        "genres": "space",
        "studio": "studio 1",
        "year": 1981,
    }
    assert client.get("/v1/users/u0").json() == {"id": "u0", "city": "Graz"}


def test_an_id_in_the_body_does_not_count(client):
    assert client.put("/v1/items/new", json={"id": "other", "title": "x"}).json()["id"] == "new"
    assert client.get("/v1/items/new").json() == {"id": "new", "title": "x"}
    assert client.get("/v1/items/other").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/items/x", {"year": "MM"}, "/year"),
        ("/v1/items/x", {"available_from": "9999-12-31T23:59:59-23:00"}, "/available_from"),
        ("/v1/items/x", [1], ""),
        ("/v1/items/x", "text", ""),
        ("/v1/items/%00", {"title": "x"}, "/id"),
        ("/v1/items/" + "x" * 257, {"title": "x"}, "/id"),
        ("/v1/users/%0A", {}, "/id"),
        ("/v1/users/%00/taste", {"more": ["x"]}, "/id"),
        ("/v1/users/u0/taste", {"mor": ["x"]}, "/mor"),
        ("/v1/users/u0/taste", {"muted": [5]}, "/muted/0"),
        ("/v1/rules/%1F", {"action": "hide", "items": ["i0"]}, "/id"),
    ],
)
def test_what_cannot_be_put_is_refused_with_its_place(client, service, path, body, pointer):
    answer = client.put(path, json=body)
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)
    assert service.store.last_seq() == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/items/i1", {"title": "Rain"}),
        ("/v1/users/ann", {"about": "x", "nested": {"a": [1, None]}}),
        ("/v1/users/ann/taste", {"more": ["x"], "muted": ["i1"]}),
        ("/v1/rules/r", {"action": "hide", "items": ["i1"], "where": ["search"]}),
    ],
)
def test_putting_what_is_so_already_writes_nothing(client, service, path, body):
    first = client.put(path, json=body).json()
    for _ in range(2):
        again = client.put(path, json=body).json()
        assert again == first
    assert service.store.last_seq() == first["seq"] == 2


def test_what_another_worker_wrote_is_not_taken_for_what_is_so(shop):
    store = MemoryStore()
    one, other = (open_service(shop, store=store) for _ in range(2))
    asking(one).put("/v1/users/ann", json={"about": "x"})
    asking(other).put("/v1/users/ann", json={"about": "y"})
    asking(one).put("/v1/users/ann", json={"about": "x"})
    other.engine.catch_up()
    assert asking(other).get("/v1/users/ann").json()["about"] == "x"
    one.close()


def test_a_patch_changes_what_it_names_and_leaves_the_rest(client):
    client.put("/v1/items/new", json={"title": "a", "year": 1, "facts": {"x": 1, "y": {"z": 2}}})
    changes = {"year": None, "facts": {"x": None, "y": {"w": 3}}, "hidden": True}
    patched = client.patch("/v1/items/new", json=changes).json()
    whole = {"title": "a", "facts": {"y": {"z": 2, "w": 3}}, "hidden": True}
    assert patched["body"] == whole
    assert client.get("/v1/items/new").json() == {"id": "new", **whole}
    of_the_data = client.patch(f"/v1/items/{quote(ODD_ITEM, safe='')}", json={"year": 7}).json()
    assert of_the_data["body"]["title"] == "The starship space"
    assert client.patch("/v1/users/u0", json={"about": "x"}).json()["body"] == {
        "city": "Graz",
        "about": "x",
    }


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/items/nowhere", {"title": "x"}, 404),
        ("/v1/items/i1", [1], 422),
        ("/v1/items/i1", None, 422),
        ("/v1/items/i1", {"year": "x"}, 422),
        ("/v1/users/nobody", {"about": "x"}, 404),
    ],
)
def test_what_cannot_be_patched_is_refused(client, service, path, body, status):
    content = json.dumps(body)
    answer = client.patch(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert service.store.last_seq() == 0


def test_patches_at_one_time_lose_nothing(client, service):
    client.put("/v1/users/ann", json={})

    def patch(number: int) -> None:
        client.patch("/v1/users/ann", json={f"n{number}": number})

    threads = [threading.Thread(target=patch, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = asking(service).get("/v1/users/ann").json()
    assert told == {"id": "ann", **{f"n{number}": number for number in range(12)}}


def test_what_was_taken_away_is_gone_and_can_be_put_again(client, service):
    assert client.delete("/v1/items/i1").json() == {"id": "i1", "seq": 2}
    assert client.get("/v1/items/i1").status_code == 404
    assert client.delete("/v1/items/i1").status_code == 404
    assert "i1" not in [each["id"] for each in every(client, "items")]
    answer = client.post("/v1/events", json={"kind": "view", "user": "ann", "item": "i1"})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/item")
    client.put("/v1/items/i1", json={"title": "again"})
    assert client.get("/v1/items/i1").json() == {"id": "i1", "title": "again"}
    service.engine.renew()
    assert "i1" in [i["id"] for i in client.get("/v1/recommend/nobody?n=99").json()["items"]]


def test_a_user_without_attributes_is_still_a_user_where_they_did_something(client):
    client.delete("/v1/users/u0")
    assert client.get("/v1/users/u0").json() == {"id": "u0"}
    client.put("/v1/users/ann", json={"about": "x"})
    client.delete("/v1/users/ann")
    assert client.get("/v1/users/ann").status_code == 404
    assert "ann" not in [each["id"] for each in every(client, "users")]
    client.post("/v1/events", json={"kind": "view", "user": "bob", "item": "i1"})
    assert client.get("/v1/users/bob").json() == {"id": "bob"}


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    limit=st.integers(1, 9),
    more=st.sets(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1)),
)
def test_pages_show_every_document_once_in_the_order_of_ids(client, service, limit, more):
    service.append([item(own_id, {"title": "x"}) for own_id in more] or [item("a", {})])
    found = [each["id"] for each in every(client, "items", limit=limit)]
    views = service.engine.views.items
    known = {*service.engine.world.live.dataset.items.ids, *views}
    assert found == sorted(known)


def test_pages_of_a_filter_show_all_that_meets_it(client, service):
    service.append([item("new", {"year": 1990, "genres": "love"}), item("i9", {"year": 1})])
    found = [each["id"] for each in every(client, "items", limit=2, filter="year >= 1989")]
    assert found == sorted(["new", "i10", "i11", "i12", "i13", "i14", "i15", "i99"])
    answer = client.get("/v1/items", params={"filter": "colour = 'red'"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_filter")


def test_users_are_filtered_by_whatever_was_put_of_them(client):
    for own_id, body in {
        "a": {"age": 5, "city": "Linz", "x": {"y": 1}},
        "b": {"age": "five", "city": "Graz"},
        "c": {"tags": ["x", "y"]},
        "d": {"city": None, "x": [1]},
    }.items():
        assert client.put(f"/v1/users/{own_id}", json=body).status_code == 200
    found = [each["id"] for each in every(client, "users", filter="city = 'Graz'", limit=3)]
    assert sorted(found) == sorted(["b", *(f"u{n}" for n in range(20))])
    assert [each["id"] for each in every(client, "users", filter="tags has 'x'")] == ["c"]
    assert [each["id"] for each in every(client, "users", filter="age = '5'")] == ["a"]
    assert client.get("/v1/users", params={"filter": "height = 3"}).status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "cursor=" + "x" * 513, "page=2"])
def test_a_page_that_makes_no_sense_is_refused(client, query):
    assert client.get(f"/v1/items?{query}").status_code == 422


def test_a_taste_is_what_was_put_and_nothing_where_nothing_was(client):
    nothing = {"more": [], "less": [], "muted": []}
    assert client.get("/v1/users/nobody/taste").json() == nothing
    put = client.put("/v1/users/ann/taste", json={"more": ["x"]}).json()
    assert put == {**nothing, "more": ["x"], "seq": 2}
    assert client.get("/v1/users/ann/taste").json() == {**nothing, "more": ["x"]}


def test_an_export_holds_everything(client, service):
    client.put("/v1/users/u0", json={"about": "x"})
    client.put("/v1/users/u0/taste", json={"muted": ["i5"]})
    client.post(
        "/v1/events",
        json=[
            {"kind": "rate", "user": "u0", "item": "i9", "value": 4, "event_id": "e"},
            {"kind": "dismiss", "user": "u0", "item": "i8"},
        ],
    )
    slate = client.get("/v1/recommend/u0?n=2").json()
    other = client.get("/v1/recommend/u1?n=2").json()
    before = history(service.engine, "u0")[:-1]
    service.engine.learn()
    keep_slates(service)
    told = client.get("/v1/users/u0/export").json()
    assert told["user"] == "u0"
    assert told["attributes"] == {"about": "x"}
    assert told["taste"] == {"more": [], "less": [], "muted": ["i5"]}
    assert [(e["kind"], e["item"]) for e in told["events"]] == [("rate", "i9"), ("dismiss", "i8")]
    assert (told["events"][0]["event_id"], told["events"][0]["value"]) == ("e", 4)
    assert [s["slate_id"] for s in told["slates"]] == [slate["slate_id"]]
    assert told["slates"][0]["answer"]["items"][0]["id"] == slate["items"][0]["id"]
    assert told["history_in_model"] == [*before, "i9"]
    assert told["dismissed_in_model"] == ["i8"]
    assert other["slate_id"] not in json.dumps(told)


def test_an_export_holds_a_slate_that_was_just_served(client, service, monkeypatch):
    monkeypatch.setattr(service.store, "keep_slates", raising(StoreError("the store is away")))
    slates = [client.get("/v1/recommend/newcomer?n=2").json()["slate_id"] for _ in range(2)]
    assert service.store.slates_of("newcomer", 9) == []
    told = client.get("/v1/users/newcomer/export").json()
    assert [slate["slate_id"] for slate in told["slates"]] == slates[::-1]


@pytest.mark.parametrize("path", ["/v1/users/nobody/export", "/v1/users/nobody/forget"])
def test_of_whom_nothing_is_kept_there_is_nothing_to_give_or_forget(client, service, path):
    method = "GET" if path.endswith("export") else "POST"
    assert client.request(method, path).status_code == 404
    assert service.store.last_seq() == 0


@pytest.mark.parametrize(
    "write",
    [
        lambda c: c.put("/v1/users/ann", json={}),
        lambda c: c.put("/v1/users/ann/taste", json={"muted": ["i1"]}),
        lambda c: c.post("/v1/events", json={"kind": "view", "user": "ann", "item": "i1"}),
        lambda c: [
            c.put("/v1/items/new", json={"title": "x"}),
            c.post("/v1/events", json={"kind": "view", "user": "ann", "item": "new"}),
        ],
        lambda c: c.get("/v1/recommend/ann"),
    ],
)
def test_whatever_is_known_of_a_user_can_be_given_and_forgotten(client, service, write):
    write(client)
    keep_slates(service)
    assert client.get("/v1/users/ann/export").status_code == 200
    receipt = client.post("/v1/users/ann/forget").json()
    assert (receipt["verified"], receipt["left"]) == (True, [])
    assert client.get("/v1/users/ann/export").status_code == 404
    assert client.get("/v1/users/ann").status_code == 404
    assert client.get("/v1/users/ann/taste").json()["muted"] == []


def test_forgetting_removes_a_user_everywhere_and_others_nowhere(client, service):
    client.put("/v1/users/u0", json={"about": "x"})
    client.put("/v1/users/u0/taste", json={"muted": ["i5"]})
    client.post("/v1/events", json={"kind": "view", "user": "u0", "item": "i9"})
    slate = client.get("/v1/recommend/u0").json()["slate_id"]
    other = client.get("/v1/recommend/u2").json()["slate_id"]
    receipt = client.post("/v1/users/u0/forget").json()
    removed = receipt["removed"]
    assert (removed["event"], removed["user"], removed["taste"]) == (1, 1, 1)
    assert removed["slate"] + removed["slates_not_written_yet"] == 1
    assert client.get(f"/v1/slates/{slate}").status_code == 404
    assert client.get(f"/v1/slates/{other}").status_code == 200
    stranger = client.get("/v1/recommend/nobody?n=99").json()
    again = client.get("/v1/recommend/u0?n=99").json()
    assert [i["id"] for i in again["items"]] == [i["id"] for i in stranger["items"]]
    assert history(service.engine, "u2")
    assert receipt["receipt"] in [s.record.subject for s in service.store.read(0, 99)]


def test_who_was_forgotten_is_in_no_file_of_the_store_nor_of_a_bundle(shop, tmp_path):
    """Also not in the receipt, nor in the record of who asked for it."""
    user = "ann.example.person@example.org"
    project = copy_of(shop, tmp_path / "shop")
    store = SQLiteStore(project.folder / "events.db")
    service = open_service(project, store=store)
    client = asking(service)
    path = f"/v1/users/{quote(user)}"
    client.put(path, json={"about": "x"})
    client.put(f"{path}/taste", json={"more": ["x"]})
    client.post("/v1/events", json={"kind": "view", "user": user, "item": "i9"})
    client.get(f"/v1/recommend/{quote(user)}")
    client.get("/v1/search", params={"q": "love", "user": user})
    keep_slates(service)
    files = [file for file in project.folder.rglob("*") if file.is_file()]
    assert [file for file in files if user.encode() in file.read_bytes()]
    assert client.post(f"{path}/forget").json()["verified"] is True
    for end in (lambda: None, service.close):
        end()
        files = [file for file in project.folder.rglob("*") if file.is_file()]
        assert len(files) > 10
        assert not [file for file in files if user.encode() in file.read_bytes()]


def test_a_user_of_the_data_is_forgotten_in_the_bundles_too(shop, tmp_path):
    project = copy_of(shop, tmp_path / "shop")
    service = open_service(project)
    receipt = asking(service).post("/v1/users/u3/forget").json()
    service.close()
    assert receipt["removed"]["bundles_written_again"] == 2
    again = open_service(project)
    assert not again.engine.world.knows("u3")
    assert again.engine.world.knows("u4")
    again.close()


def test_the_receipt_tells_nobody_who_it_was(client, service):
    client.post("/v1/events", json={"kind": "view", "user": "ann", "item": "i1"})
    client.post("/v1/users/ann/forget")
    assert "ann" not in repr(service.store.read(0, 99))
    service.append([event("ann", "i1"), record(RecordKind.TASTE, "ann", {"muted": ["i2"]})])
    assert history(service.engine, "ann") == ["i1"]


def test_a_slate_that_was_under_way_when_its_user_was_forgotten_goes_too(
    client, service, monkeypatch
):
    client.post("/v1/events", json={"kind": "view", "user": "ann", "item": "i1"})
    forget = service.engine.forget

    def forget_while_answering(user, **more):
        client.get(f"/v1/recommend/{user}")
        return forget(user, **more)

    monkeypatch.setattr(service.engine, "forget", forget_while_answering)
    receipt = client.post("/v1/users/ann/forget").json()
    assert receipt["removed"]["slates_not_written_yet"] + receipt["removed"]["slate"] == 1
    keep_slates(service)
    assert service.store.slates_of("ann", 9) == []
