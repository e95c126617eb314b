from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from tests.serve.conftest import asking
from tests.serve.said import event
from tests.serve.shop import ODD_ITEM

from longtale.feedback.memory_store import MemoryStore
from longtale.serve.lists import keep
from longtale.serve.opening import open_service
from longtale.serve.pace import Level


def items(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def slate_of(client, answer, **query):
    return client.get(f"/v1/slates/{answer.json()['slate_id']}", params=query).json()


EVERY_LIST = [
    ("GET", "/v1/recommend/u0", None),
    ("POST", "/v1/recommend/nobody yet", {"n": 3, "text": "love"}),
    ("POST", "/v1/sessions/recommend", {"history": ["i0"], "n": 3}),
    ("GET", "/v1/similar/i0", None),
    ("POST", "/v1/rank", {"user": "u0", "items": ["i9", "i1", "i99"]}),
    ("GET", "/v1/search?q=space", None),
    ("POST", "/v1/search", {"q": "love", "user": "u0"}),
]


@pytest.mark.parametrize(("method", "path", "body"), EVERY_LIST)
def test_every_list_says_what_it_is_and_is_kept_just_so(client, service, method, path, body):
    service.append([event("u0", "i9")])
    answer = client.request(method, path, json=body)
    told = answer.json()
    assert told["seq"] == 1
    assert told["model_version"] == service.engine.world.recommender.version
    assert told["degraded"] == []
    assert told["items"]
    for rank, item in enumerate(told["items"], start=1):
        assert item["rank"] == rank
        assert {"id", "score", "sources", "band", "reasons", "item"} <= set(item)
        assert item["band"] in ("head", "torso", "tail", "new")
    assert set(answer.headers["server-timing"].replace(";dur=", " ").split(" ")[::2]) <= {
        *told["stages"]
    } | {name + "," for name in told["stages"]}
    kept = slate_of(client, answer)
    served = kept["answer"]
    assert kept["slate_id"] == told["slate_id"]
    for name in ("slate_id", "model_version", "seq", "took_ms", "stages", "degraded"):
        assert served[name] == told[name]
    for mine, theirs in zip(served["items"], told["items"], strict=True):
        assert {name: mine[name] for name in theirs if name != "reasons"} == {
            name: theirs[name] for name in theirs if name != "reasons"
        }
    assert kept["replay"]["outcome"] == "same"
    assert kept["replay"]["items"] == [item["id"] for item in told["items"]]
    assert "replay" not in slate_of(client, answer, replay=False)


@pytest.mark.parametrize(("method", "path", "body"), EVERY_LIST)
def test_a_slate_asked_again_says_that_the_world_moved_on(client, service, method, path, body):
    answer = client.request(method, path, json=body)
    first = items(answer)[0]
    client.delete(f"/v1/items/{quote(first, safe='')}")
    if path == "/v1/rank":
        service.append([event("u0", "i99")])
        service.engine.learn()
    again = slate_of(client, answer)["replay"]
    assert again["seq"] == service.engine.world.seq
    if path == "/v1/rank":
        assert again["outcome"] in ("same", "moved_on")
    else:
        assert again["outcome"] == "moved_on"
        assert first not in again["items"]
    assert [item["id"] for item in slate_of(client, answer)["answer"]["items"]] == items(answer)


def test_asking_again_keeps_no_slate_and_writes_nothing(client, service):
    answer = client.get("/v1/recommend/u0")
    before = service.store.last_seq()
    for _ in range(3):
        assert slate_of(client, answer)["replay"]["outcome"] == "same"
    service.keeper.close()
    assert [slate.id for slate in service.store.slates_of("u0", 99)] == [answer.json()["slate_id"]]
    assert service.store.last_seq() == before


def test_a_list_that_chance_had_a_part_in_says_so_when_it_is_asked_again(client):
    answers = [client.post("/v1/recommend/u0", json={"n": 9, "explore": 1}) for _ in range(9)]
    assert {slate_of(client, answer)["replay"]["outcome"] for answer in answers} <= {
        "drawn",
        "same",
    }
    assert "drawn" in {slate_of(client, answer)["replay"]["outcome"] for answer in answers}


def test_a_slate_of_an_item_that_is_gone_says_why_it_cannot_be_asked_again(client, service):
    service.append([event("u0", "i9")])
    client.put("/v1/items/new", json={"title": "x"})
    service.engine.renew()
    answer = client.get("/v1/similar/new")
    assert slate_of(client, answer)["replay"]["outcome"] == "same"
    kept = service.keeper.slate(answer.json()["slate_id"])
    asked = {**kept.body["asked"], "item": "nowhere"}
    moved = keep(
        service,
        service.engine.world.recommender.similar("i0"),
        user=None,
        asked=asked,
    )
    replay = client.get(f"/v1/slates/{moved.slate_id}").json()["replay"]
    assert replay["outcome"] == "refused"
    assert "nowhere" in replay["detail"]


def test_ids_in_questions_are_kept_as_they_are_and_words_are_masked(client, service):
    card = "4111 1111 1111 1111"
    body = {"text": "for ann@example.org", "exclude": [card], "history": [card]}
    answer = client.post("/v1/recommend/u0", json={**body, "context": {"to": "ann@example.org"}})
    asked = slate_of(client, answer)["asked"]
    assert asked["text"] == "for [email]"
    assert asked["context"] == {"to": "[email]"}
    assert asked["exclude"] == asked["recent"] == [card]
    assert asked["list"] == "recommend"


def test_slates_are_not_kept_where_they_are_not_to_be(shop):
    settings = shop.settings.model_copy(
        update={"serve": shop.settings.serve.model_copy(update={"keep_slates": False})}
    )
    service = open_service(type(shop)(settings, shop.folder), store=MemoryStore())
    client = asking(service)
    answer = client.get("/v1/recommend/u0")
    found = client.get(f"/v1/slates/{answer.json()['slate_id']}")
    assert found.status_code == 404
    assert "serve.keep_slates" in found.json()["detail"]
    service.close()


@pytest.mark.parametrize(
    ("how", "has", "has_not"),
    [
        ("none", set(), {"weights"}),
        ("codes", {"code", "evidence", "weight"}, {"text"}),
        ("text", {"code", "evidence", "weight", "text"}, set()),
        ("trace", {"code", "evidence", "weight", "text"}, set()),
    ],
)
def test_as_much_is_explained_as_was_asked_for(client, how, has, has_not):
    told = client.get("/v1/recommend/u0", params={"explain": how}).json()["items"][0]
    assert ("weights" in told) == (how == "trace")
    assert bool(told["reasons"]) == (how != "none")
    for reason in told["reasons"]:
        assert has <= set(reason)
        assert not has_not & set(reason)


def test_an_own_list_names_what_is_missing_once(client):
    body = {"items": ["i1", "x", "y", "x", "i1"], "user": "u0"}
    told = client.post("/v1/rank", json=body).json()
    assert [item["id"] for item in told["items"]] == ["i1"]
    assert told["missing"] == ["x", "y"]
    none = client.post("/v1/rank", json={"items": ["x"]})
    assert (none.status_code, none.json()["items"], none.json()["missing"]) == (200, [], ["x"])


def test_what_a_visit_touched_is_known_in_the_next_answer_of_its_session(client):
    before = items(client.post("/v1/sessions/recommend", json={"session": "s", "n": 99}))
    assert {"i0", "i1", "i2"} <= set(before)
    done = client.post(
        "/v1/events",
        json=[
            {"kind": "view", "session": "s", "item": "i0", "event_id": "a"},
            {"kind": "dismiss", "session": "s", "item": "i1"},
            {"kind": "view", "session": "other", "item": "i2"},
        ],
    ).json()
    body = {"session": "s", "n": 99, "min_seq": done["seq"], "explain": "codes"}
    answer = client.post("/v1/sessions/recommend", json=body)
    assert set(items(answer)) == set(before) - {"i0", "i1"}
    evidence = {
        i for item in answer.json()["items"] for r in item["reasons"] for i in r["evidence"]
    }
    assert evidence == {"i0"}, "what was turned down speaks for nothing"
    for _ in range(2):
        again = {"kind": "view", "session": "s", "item": "i0", "event_id": "a"}
        assert client.post("/v1/events", json=again).json()["duplicates"] == 1
    kept = slate_of(client, client.post("/v1/sessions/recommend", json=body))
    assert kept["asked"]["recent"] == ["i0"]
    assert kept["replay"]["outcome"] == "same"


def test_what_a_session_did_at_one_worker_is_known_at_the_other_and_after_a_restart(shop):
    store = MemoryStore()
    one, other = (open_service(shop, store=store) for _ in range(2))
    asks = asking(other)
    done = (
        asking(one).post("/v1/events", json={"kind": "view", "session": "s", "item": "i0"}).json()
    )
    body = {"session": "s", "n": 99, "min_seq": done["seq"]}
    assert "i0" not in items(asks.post("/v1/sessions/recommend", json=body))
    third = open_service(shop, store=store)
    assert "i0" not in items(asking(third).post("/v1/sessions/recommend", json=body))
    for service in (third, other, one):
        service.keeper.close()
    one.close()


def test_an_answer_waits_for_what_another_worker_wrote(shop):
    store = MemoryStore()
    one, other = (open_service(shop, store=store) for _ in range(2))
    done = asking(one).post("/v1/events", json={"kind": "view", "user": "ann", "item": "i0"}).json()
    for path in ("/v1/recommend/ann", "/v1/similar/i1", "/v1/search"):
        query = {"min_seq": done["seq"], **({"q": "space"} if "search" in path else {})}
        answer = asking(other).get(path, params=query)
        assert answer.json()["seq"] == done["seq"]
    answer = asking(other).get("/v1/recommend/ann", params={"min_seq": done["seq"] + 1})
    assert answer.status_code == 422
    assert "the log ends at 1" in answer.json()["detail"]
    one.close()


def test_a_budget_that_is_too_small_gets_a_quicker_answer_that_says_so(client, service):
    for level, ms in ((Level.FULL, 1000), (Level.QUICK, 50), (Level.POPULAR, 1)):
        service.pace.took(level, ms)
    for budget, degraded in ((2000, []), (60, ["quick"]), (5, ["popular"])):
        told = client.get("/v1/recommend/u0", params={"budget_ms": budget, "n": 3})
        assert told.json()["degraded"] == degraded
        assert slate_of(client, told)["replay"]["outcome"] == "same", "the same rung answers again"


@pytest.mark.parametrize(
    ("method", "path", "status", "pointer", "hint"),
    [
        ("GET", "/v1/recommend/u0?nn=3", 422, "/nn", "did you mean 'n'?"),
        ("GET", "/v1/similar/i0?user=u0", 422, "/user", "allowed are by, "),
        ("GET", "/v1/search?q=x&personel=1", 422, "/personel", "did you mean 'personal'?"),
        ("GET", "/v1/slates/x?foo=1", 422, "/foo", "replay"),
        ("GET", "/v1/items/i0?foo=1", 422, None, "leave it out"),
        ("POST", "/v1/recommend/u0?n=3", 422, None, "say it in the body"),
        ("PUT", "/v1/items/x?hidden=true", 422, None, "say it in the body"),
        ("GET", "/v1/recommend/u0?n=3&at_most=brand", 400, None, "JSON"),
        ("GET", "/v1/recommend/u0?filter=year%20>", 422, None, ""),
        ("GET", "/v1/similar/nowhere", 404, None, ""),
        ("GET", "/v1/slates/nowhere", 404, None, ""),
        ("GET", "/v1/explain/nowhere/i0", 404, None, ""),
    ],
)
def test_what_is_asked_wrongly_is_told_with_a_hint(client, method, path, status, pointer, hint):
    answer = client.request(method, path, **({"json": {}} if method != "GET" else {}))
    told = answer.json()
    assert answer.status_code == status, told
    assert answer.headers["content-type"] == "application/problem+json"
    assert told.get("pointer") == pointer
    assert hint in told.get("hint", "") + told["detail"]


def test_a_list_in_the_address_is_parted_by_commas_or_said_twice(client):
    for query in ("exclude=i1,i2&exclude=i3", "exclude=i1&exclude=i2,i3,"):
        assert not {"i1", "i2", "i3"} & set(items(client.get(f"/v1/recommend/nobody?n=99&{query}")))
    told = client.get("/v1/recommend/u0", params={"n": 2, "at_most": '{"genres": 1}'}).json()
    assert len({item["item"]["genres"] for item in told["items"]}) == 2


def test_ids_of_any_kind_can_be_asked_for(client):
    path = quote(ODD_ITEM, safe="")
    assert client.get(f"/v1/items/{path}").json()["id"] == ODD_ITEM
    assert items(client.get(f"/v1/similar/{path}"))
    for user in ("a/b", "100%", "a?b#c", "🦊", "a;b=c", "%2F"):
        done = client.post("/v1/events", json={"kind": "view", "user": user, "item": "i0"})
        assert done.json()["accepted"] == 1
        found = client.get(f"/v1/recommend/{quote(user, safe='')}?n=99")
        assert "i0" not in items(found), user
        assert slate_of(client, found)["user"] == user


def test_reasons_and_reasons_against_are_told_for_what_was_asked(client):
    answer = client.get("/v1/recommend/u0?n=3")
    first = items(answer)[0]
    told = client.get(f"/v1/explain/{answer.json()['slate_id']}/{first}").json()
    assert told["item"]["id"] == first
    assert told["rank"] == 1
    assert told["is_as_served"] is True
    client.delete("/v1/items/i13")
    why = client.get("/v1/why-not", params={"user": "u0", "item": "i13"}).json()
    assert why["stage"] == "hidden"
    other = client.get("/v1/search", params={"q": "kettle"}).json()["slate_id"]
    refused = client.get(f"/v1/explain/{other}/i1")
    assert refused.status_code == 422
    assert "comes from 'search'; only slates of recommend" in refused.json()["detail"]


@pytest.mark.parametrize("by", ["blend", "semantic", "together"])
def test_what_goes_with_an_item_is_explained_by_that_item(client, by):
    client.put("/v1/rules/r", json={"action": "hide", "items": ["i2"], "where": ["similar"]})
    answer = client.get("/v1/similar/i0", params={"n": 3, "by": by})
    for place, item in enumerate(items(answer), start=1):
        told = client.get(f"/v1/explain/{answer.json()['slate_id']}/{quote(item, safe='')}").json()
        assert (told["rank"], told["place"], told["is_as_served"]) == (place, place, True)
        assert {cited["id"] for why in told["reasons"] for cited in why["evidence"]} <= {"i0"}
        assert set(told["contributions"]) >= set(answer.json()["items"][place - 1]["sources"])
    why = client.get(f"/v1/explain/{answer.json()['slate_id']}/i2").json()
    assert (why["barred_by"], why["place"]) == ("rule", None)


def test_answers_are_counted(client, service):
    for _ in range(3):
        client.get("/v1/recommend/u0?n=4")
    told = service.telemetry
    assert told.value("longtale_slates_total") == 3
    assert told.value("longtale_requests_total", "/v1/recommend/{user}", "GET", "2xx") == 3


def test_a_slate_that_waits_to_be_written_can_be_asked_for_at_once(client, service):
    answer = client.get("/v1/recommend/u0")
    assert slate_of(client, answer)["user"] == "u0"
    deadline = time.monotonic() + 10
    while service.keeper.n_waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert service.store.slate(answer.json()["slate_id"]) is not None
    assert slate_of(client, answer)["user"] == "u0"
