from __future__ import annotations

import json
import logging

import pytest
from starlette.routing import Match
from tests.serve.conftest import asking
from tests.serve.wire import ask, request, sending

from longtale.serve.admission import Lane
from longtale.serve.app import ENDPOINTS, application, lane_of, limit_of
from longtale.serve.keys import Scope, new_key

SCOPES = (Scope.READ, Scope.WRITE, Scope.ADMIN)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
def test_every_endpoint_opens_to_the_keys_that_reach_it_and_to_no_other(service, endpoint):
    made = {scope: new_key(scope, scope.value, now=0) for scope in SCOPES}
    service.append([each.key.record(0) for each in made.values()])
    app = application(service)
    path = endpoint.path.replace("{", "").replace("}", "")
    tokens = {None: None, "bad": new_key(Scope.ADMIN, "x", now=0).token}
    tokens |= {scope: each.token for scope, each in made.items()}
    for who, token in tokens.items():
        headers = {"host": "127.0.0.1:8000"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        scope = request(endpoint.method, path, headers=headers, app=app)
        status = ask(app, scope, sending(b"not json")).status
        if endpoint.scope is None:
            assert status == 200
        elif who in (None, "bad"):
            assert status == 401, who
        elif not Scope(who).reaches(endpoint.scope):
            assert status == 403, who
        else:
            assert status not in (401, 403, 405, 500), who


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
def test_an_address_as_it_was_sent_decides_what_a_key_needs(service, endpoint):
    """Neither `%2F` nor `..` nor a doubled slash leads a weak key to a strong endpoint."""
    weak = new_key(Scope.READ, "weak", now=0)
    service.append([weak.key.record(0)])
    app = application(service)
    path = endpoint.path.replace("{", "").replace("}", "")
    if endpoint.scope in (None, Scope.READ):
        return
    for other in (
        path.replace("/v1/", "/v1%2F"),
        path.replace("/v1/", "//v1/"),
        path + "/",
        path.upper(),
        "/v1/items/x%2F..%2F.." + path.removeprefix("/v1"),
        path.replace("/v1", "/%76%31"),
    ):
        scope = request(
            endpoint.method,
            other,
            headers={"host": "127.0.0.1:8000", "authorization": f"Bearer {weak.token}"},
            app=app,
        )
        assert ask(app, scope, sending(b"{}")).status in (403, 404, 405), other
    assert service.store.last_seq() == 1


def test_the_first_route_that_matches_is_the_one_that_answers():
    """Which scope a request needs is read off the same table."""
    routes = [(endpoint, endpoint.route()) for endpoint in ENDPOINTS]
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("{", "").replace("}", "")
        scope = {"type": "http", "method": endpoint.method, "path": path}
        found = [e for e, route in routes if route.matches(scope)[0] is Match.FULL]
        assert found[0] is endpoint


@pytest.mark.parametrize(
    ("method", "path", "lane"),
    [
        ("GET", "/v1/health/ready", None),
        ("GET", "/v1/metrics", None),
        ("POST", "/v1/bulk/events", Lane.BULK),
        ("GET", "/v1/recommend/u0", Lane.READ),
        ("POST", "/v1/recommend/u0", Lane.READ),
        ("POST", "/v1/sessions/recommend", Lane.READ),
        ("POST", "/v1/rank", Lane.READ),
        ("POST", "/v1/search", Lane.READ),
        ("POST", "/v1/events", Lane.WRITE),
        ("PUT", "/v1/items/x", Lane.WRITE),
    ],
)
def test_each_kind_of_work_has_its_lane(method, path, lane):
    assert lane_of(method, path) is lane


def test_only_what_is_read_piece_by_piece_may_be_very_long():
    assert (limit_of("/v1/bulk/items") or 0) > 10**9
    assert limit_of("/v1/events") is None


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("DELETE", "/v1/recommend/u0", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/recommend/u0", 405, "method_not_allowed"),
        ("POST", "/v1/bulk/nothing", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_a_problem_document(client, method, path, status, code):
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_head_is_answered_like_get_without_a_body(client):
    answer = client.head("/v1/recommend/u0")
    assert (answer.status_code, answer.content) == (200, b"")


def test_requests_are_counted_and_logged_by_their_route_and_without_ids(client, service, caplog):
    caplog.set_level(logging.INFO, logger="longtale.requests")
    client.get("/v1/recommend/ann@example.org")
    client.get("/v1/similar/nowhere-secret")
    client.get("/nothing-secret")
    told = service.telemetry
    assert told.value("longtale_requests_total", "/v1/recommend/{user}", "GET", "2xx") == 1
    assert told.value("longtale_requests_total", "/v1/similar/{item}", "GET", "4xx") == 1
    assert told.value("longtale_requests_total", "other", "GET", "4xx") == 1
    lines = [json.dumps(vars(record), default=str) for record in caplog.records]
    assert len(lines) == 3
    assert not [line for line in lines if "ann@example.org" in line or "secret" in line]
    assert "/v1/recommend/{user}" in lines[0]


def test_a_client_that_goes_away_is_counted_so(service):
    app = application(service)

    async def gone():
        return {"type": "http.disconnect"}

    scope = request("POST", "/v1/events", headers={"host": "127.0.0.1:8000"}, app=app)
    assert ask(app, scope, gone).messages == []
    value = service.telemetry.value("longtale_requests_total", "/v1/events", "POST", "4xx")
    assert value == 1
    assert service.store.last_seq() == 0


def test_the_application_begins_and_ends_its_work_in_the_background(service):
    with asking(service) as client:
        assert client.get("/v1/health/ready").status_code == 200
        assert service.jobs
    assert service.gate.is_draining
    with pytest.raises(Exception, match="closed"):
        service.store.last_seq()
