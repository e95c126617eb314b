"""Running the service over HTTP: rules, models, keys, what was changed, how things stand."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from tests.serve.conftest import asking, copy_of
from tests.serve.said import event, item

from longtale.data.record import RecordKind
from longtale.recommend.folder import MANIFEST
from longtale.serve.opening import open_service

HIDE = {"action": "hide", "items": ["i0"]}


def shown(client, user: str = "nobody") -> list[str]:
    return [each["id"] for each in client.get(f"/v1/recommend/{user}?n=99").json()["items"]]


def changes(client, **query) -> list[dict]:
    return client.get("/v1/audit", params=query).json()["changes"]


def test_a_rule_holds_from_the_next_answer_on_until_it_is_taken_away(client):
    assert "i0" in shown(client)
    put = client.put("/v1/rules/r", json=HIDE).json()
    assert put == {"id": "r", **HIDE, "seq": 2}
    assert "i0" not in shown(client)
    assert client.get("/v1/rules").json() == {"rules": [{"id": "r", **HIDE}]}
    assert client.delete("/v1/rules/r").json() == {"id": "r", "seq": 4}
    assert "i0" in shown(client)
    assert client.get("/v1/rules").json() == {"rules": []}
    assert client.delete("/v1/rules/r").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    ("rule", "pointer", "said"),
    [
        ({"action": "pin"}, "", "needs items"),
        ({"action": "hide", "filter": "colour = 'red'"}, "/filter", "unknown column 'colour'"),
        ({"action": "boost", "filter": "year > 'x'"}, "/filter", "holds numbers"),
        ({"action": "limit", "column": "colour"}, "/column", "cannot be limited by 'colour'"),
        ({"action": "hide", "filter": "year >"}, None, "year >"),
        ({"action": "hide", "items": ["i0"], "strenth": 2}, "/strenth", "unknown field"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(client, service, method, rule, pointer, said):
    path = "/v1/rules/r" if method == "PUT" else "/v1/rules/preview"
    answer = client.request(method, path, json=rule if method == "PUT" else {"rule": rule})
    told = answer.json()
    assert answer.status_code == 422, told
    if pointer is not None and (method == "PUT" or pointer in ("/filter", "/column")):
        assert told["pointer"] == pointer
    assert said in told["detail"] + told.get("hint", "")
    assert service.store.last_seq() == 0


def test_a_preview_shows_what_would_change_and_changes_nothing(client, service):
    before = [each["id"] for each in client.get("/v1/recommend/u0?n=5").json()["items"]]
    n_slates = service.keeper.n_waiting
    rule = {"action": "pin", "items": ["i15"], "place": 2}
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    for more in ({}, {"valid_from": later}):
        body = {"rule": {**rule, **more}, "user": "u0", "n": 5}
        told = client.post("/v1/rules/preview", json=body).json()
        assert told["before"] == before
        assert told["after"] == [before[0], "i15", *before[1:4]]
        assert told["came"] == ["i15"]
        assert told["went"] == [before[4]]
        assert told["moved"] == [
            {"id": own_id, "from": k, "to": k + 1} for k, own_id in enumerate(before[1:4], start=2)
        ]
    assert service.store.last_seq() == 0
    assert service.keeper.n_waiting == n_slates
    assert service.engine.views.rules == {}
    assert [each["id"] for each in client.get("/v1/recommend/u0?n=5").json()["items"]] == before


def test_models_are_told_with_what_their_manifests_say(client, recommender):
    told = client.get("/v1/models").json()
    assert told["active"] == recommender.version
    first, second = told["models"]
    assert (first["version"], first["is_active"]) == (recommender.version, True)
    assert (second["version"], second["is_active"], second["refused"]) == ("second", False, None)
    assert first["n_items"] == 17
    assert len(first["digests"]["catalog.parquet"]) == 64
    assert [part["name"] for part in first["retrievers"]] == [*recommender.hybrid.sources]
    assert first["bytes"] > 1000


def test_promoting_and_going_back(client, recommender):
    first = recommender.version
    assert client.post("/v1/models/rollback").status_code == 409
    done = client.post("/v1/models/second/promote").json()
    assert done == {"active": "second", "instead_of": first, "seq": 2}
    assert client.get("/v1/recommend/u0").json()["model_version"] == "second"
    assert client.post("/v1/models/second/promote").json()["seq"] == 2
    back = client.post("/v1/models/rollback").json()
    assert back == {"active": first, "instead_of": "second", "seq": 4}
    assert client.get("/v1/recommend/u0").json()["model_version"] == first
    assert client.post("/v1/models/rollback").json()["active"] == "second"


def test_an_unknown_bundle_cannot_be_promoted(client, recommender):
    answer = client.post("/v1/models/third/promote")
    assert answer.status_code == 404
    assert answer.json()["hint"] == f"there are {recommender.version}, second"


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove", "add", "swap", "manifest"])
def test_a_bundle_that_is_not_whole_is_refused_and_the_present_one_answers(shop, tmp_path, harm):
    project = copy_of(shop, tmp_path / "shop")
    folder = project.folder / "models" / "second"
    part = folder / "interactions.safetensors"
    match harm:
        case "flip":
            content = bytearray(part.read_bytes())
            content[len(content) // 2] ^= 4
            part.write_bytes(content)
        case "truncate":
            part.write_bytes(part.read_bytes()[:-1])
        case "remove":
            part.unlink()
        case "add":
            (folder / "more.txt").write_text("x")
        case "swap":
            shutil.copy(folder / "dismissals.safetensors", part)
        case "manifest":
            manifest = json.loads((folder / MANIFEST).read_text())
            (folder / MANIFEST).write_text(json.dumps({**manifest, "n_items": 3}))
    service = open_service(project)
    client = asking(service)
    answer = client.post("/v1/models/second/promote")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "the present model goes on answering" in answer.json()["hint"]
    assert client.get("/v1/recommend/u0").json()["model_version"] != "second"
    refused = {
        each["version"]: each["refused"] for each in client.get("/v1/models").json()["models"]
    }
    assert refused["second"]
    assert service.engine.views.model is None
    assert client.get("/v1/audit").json()["changes"] == []
    service.close()


def test_the_model_before_can_be_gone_back_to_although_its_folder_holds_another(shop, tmp_path):
    project = copy_of(shop, tmp_path / "shop")
    service = open_service(project)
    client = asking(service)
    first = client.post("/v1/models/second/promote").json()["instead_of"]
    shutil.rmtree(project.bundle)
    assert client.post("/v1/models/rollback").json()["active"] == first
    assert client.get("/v1/recommend/u0").json()["model_version"] == first
    service.close()


def with_key(client, token: str):
    return {"headers": {"authorization": f"Bearer {token}"}}


def test_keys_open_what_their_scope_allows_and_nothing_once_they_are_revoked(client, service):
    admin = client.post("/v1/keys", json={"scope": "admin", "name": "us"}).json()
    assert set(admin) == {"id", "scope", "name", "token", "seq"}
    assert client.get("/v1/keys").status_code == 401, "from now on a key is needed"
    as_admin = with_key(client, admin["token"])
    read = client.post("/v1/keys", json={"scope": "read", "name": "shop"}, **as_admin).json()
    as_reader = with_key(client, read["token"])
    assert client.get("/v1/recommend/u0", **as_reader).status_code == 200
    assert client.put("/v1/rules/r", json=HIDE, **as_reader).status_code == 403
    assert client.get("/v1/audit", **as_reader).status_code == 403
    listed = client.get("/v1/keys", **as_admin)
    assert {key["name"]: key["revoked"] for key in listed.json()["keys"]} == {
        "us": False,
        "shop": False,
    }
    for secret in (admin["token"], read["token"]):
        assert secret not in listed.text
        assert secret not in repr(service.store.read(0, 99))
    assert client.delete(f"/v1/keys/{read['id']}", **as_admin).json()["revoked"] is True
    assert client.get("/v1/recommend/u0", **as_reader).status_code == 401
    assert client.delete("/v1/keys/nobody", **as_admin).status_code == 404
    assert client.put("/v1/rules/r", json=HIDE, **as_admin).status_code == 200
    assert {change["key"] for change in changes_of(client, as_admin)} == {"local", admin["id"]}


def changes_of(client, who) -> list[dict]:
    return client.get("/v1/audit", **who).json()["changes"]


WRITES = [
    ("PUT", "/v1/items/new", {"title": "x"}, "/v1/items/{id}", "new"),
    ("PATCH", "/v1/items/i1", {"year": 1}, "/v1/items/{id}", "i1"),
    ("DELETE", "/v1/items/i1", None, "/v1/items/{id}", "i1"),
    ("PUT", "/v1/users/ann", {"about": "x"}, "/v1/users/{id}", None),
    ("PATCH", "/v1/users/u0", {"about": "x"}, "/v1/users/{id}", None),
    ("DELETE", "/v1/users/u0", None, "/v1/users/{id}", None),
    ("PUT", "/v1/users/ann/taste", {"more": ["x"]}, "/v1/users/{id}/taste", None),
    ("POST", "/v1/users/u0/forget", None, "/v1/users/{id}/forget", None),
    ("PUT", "/v1/rules/r", HIDE, "/v1/rules/{id}", "r"),
    ("POST", "/v1/models/second/promote", None, "/v1/models/{version}/promote", "second"),
    ("POST", "/v1/keys", {"scope": "read", "name": "x"}, "/v1/keys", "*"),
]


@pytest.mark.parametrize(("method", "path", "body", "route", "subject"), WRITES)
def test_every_change_leaves_a_record_of_who_made_it(
    client, service, method, path, body, route, subject
):
    before = datetime.now(UTC)
    answer = client.request(method, path, json=body)
    assert answer.status_code == 200, answer.text
    [stored] = service.store.read(0, 99, kinds=[RecordKind.AUDIT])
    assert stored.record.subject == "local"
    told = {"method": method, "route": route}
    if subject is not None:
        told["subject"] = answer.json()["id"] if subject == "*" else subject
    assert stored.record.body == told
    at = datetime.fromtimestamp(stored.record.at / 1e6, UTC)
    assert before - timedelta(seconds=1) <= at <= datetime.now(UTC) + timedelta(seconds=1)
    assert stored.seq <= answer.json().get("seq", stored.seq)


def test_many_documents_at_once_leave_one_record_and_no_names(client, service):
    rows = "\n".join(json.dumps({"id": f"user-{k}", "n": k}) for k in range(3))
    client.post("/v1/bulk/users", content=rows)
    client.post("/v1/bulk/users", content=rows)
    [stored] = service.store.read(0, 99, kinds=[RecordKind.AUDIT])
    assert stored.record.body == {"method": "POST", "route": "/v1/bulk/{what}", "rows": 3}


def test_what_changes_nothing_and_what_is_refused_leaves_no_record(client, service):
    client.post("/v1/events", json={"kind": "view", "user": "ann", "item": "i1"})
    client.post("/v1/rules/preview", json={"rule": HIDE})
    client.put("/v1/items/x", json={"year": "MM"})
    client.delete("/v1/rules/nothing")
    client.post("/v1/models/third/promote")
    assert service.store.read(0, 99, kinds=[RecordKind.AUDIT]) == []


def test_changes_are_told_page_by_page_and_by_key(client, service):
    for k in range(5):
        client.put(f"/v1/rules/r{k}", json=HIDE)
        service.append([event("ann", "i1")])
    found, after = [], 0
    while after is not None:
        page = client.get("/v1/audit", params={"after": after, "limit": 2}).json()
        found += page["changes"]
        after = page["next"]
    assert [change["subject"] for change in found] == [f"r{k}" for k in range(5)]
    assert found[0] == {
        "seq": 2,
        "at": found[0]["at"],
        "key": "local",
        "method": "PUT",
        "route": "/v1/rules/{id}",
        "subject": "r0",
    }
    assert [c["subject"] for c in changes(client, key="local", limit=2)] == ["r3", "r4"]
    assert changes(client, key="nobody") == []
    assert client.get("/v1/audit?limit=0").status_code == 422


def test_status_says_what_is_known_and_what_waits(client, service):
    service.append([event("ann", "i1"), item("new", {"title": "x"})])
    told = client.get("/v1/status").json()
    assert (told["seq"], told["users"], told["items"]) == (2, 21, 17)
    assert (told["waiting_to_be_placed"], told["waiting_to_be_learned"]) == (1, 1)
    assert told["columns"]["year"] == "Int64"
    assert told["degraded"] == []
    assert "view" in told["kinds"]


def test_exposure_adds_up_to_the_catalogue_and_to_all_events(client, recommender):
    told = client.get("/v1/exposure").json()
    assert sum(band["items"] for band in told["bands"]) == 17
    assert sum(band["interactions"] for band in told["bands"]) == 19 * 6
    assert told["never_touched"] == 1


def test_reports_that_lie_beside_the_settings_are_given_and_else_a_hint(shop, tmp_path):
    project = copy_of(shop, tmp_path / "shop")
    service = open_service(project)
    client = asking(service)
    told = client.get("/v1/evaluations").json()
    assert told["evaluations"] == []
    assert "longtale evaluate" in told["hint"]
    folder = project.folder / "evaluations"
    folder.mkdir()
    (folder / "may.json").write_text('{"protocol": "refit"}')
    (folder / "broken.json").write_text("{")
    told = client.get("/v1/evaluations").json()
    assert [(each["name"], each["report"]) for each in told["evaluations"]] == [
        ("may", {"protocol": "refit"})
    ]
    service.close()


def test_drift_compares_the_last_hour_and_day_with_those_before(client, service):
    now = datetime.now(UTC)
    rows = [
        {"kind": "view", "user": "ann", "item": "i99", "time": now - timedelta(minutes=5)},
        {"kind": "view", "user": "u0", "item": "i9", "time": now - timedelta(minutes=6)},
        {"kind": "rate", "user": "u1", "item": "i0", "time": now - timedelta(hours=5), "value": 5},
        {"kind": "dismiss", "user": "u2", "item": "i1", "time": now - timedelta(days=3)},
    ]
    told = [{**row, "time": row["time"].isoformat()} for row in rows]
    client.post("/v1/events", json=told[:2])
    service.engine.learn()
    client.post("/v1/events", json=told[2:])
    windows = client.get("/v1/drift").json()["windows"]
    hour, day = windows["hour"], windows["day"]
    assert hour["events"] == {
        "view": {"latest": 2, "usual": 0.0},
        "rate": {"latest": 0, "usual": round(1 / 24, 3)},
    }
    assert hour["share_by_new_users"] == {"latest": 0.5, "usual": 0.0}
    assert hour["share_on_new_items"] == {"latest": 0.5, "usual": 0.0}
    assert day["events"]["rate"] == {"latest": 1, "usual": 0.0}
    assert day["events"]["dismiss"] == {"latest": 0, "usual": round(1 / 7, 3)}
    assert day["share_by_new_users"] == {"latest": round(1 / 3, 4), "usual": 0.0}


def test_drift_says_nothing_where_nothing_happened(client):
    for window in client.get("/v1/drift").json()["windows"].values():
        assert window["events"] == {}
        assert window["share_by_new_users"] == {"latest": None, "usual": None}


def test_health_needs_no_key_and_says_when_the_process_stops(client, service):
    client.post("/v1/keys", json={"scope": "admin", "name": "us"})
    assert client.get("/v1/health/live").json() == {"status": "live"}
    assert client.get("/v1/health/ready").json() == {"status": "ready", "degraded": []}
    service.gate.drain()
    answer = client.get("/v1/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "stopping")
    assert answer.headers["retry-after"] == "1"
    assert client.get("/v1/health/live").status_code == 200


def test_metrics_are_prometheus_text(client):
    client.get("/v1/recommend/u0")
    answer = client.get("/v1/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'longtale_requests_total{method="GET",route="/v1/recommend/{user}"' in answer.text
