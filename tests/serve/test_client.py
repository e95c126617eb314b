from __future__ import annotations

import asyncio
import inspect
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.routing import Match

from longtale.errors import QueryError, ServiceError
from longtale.recommend.answer import Answer, AnswerItem, Reason
from longtale.schema import Band
from longtale.serve import client as client_module
from longtale.serve import client_calls, client_rows, messages
from longtale.serve.app import ENDPOINTS
from longtale.serve.client import AsyncClient, Client, RefusedError
from longtale.serve.client_answers import Counts, Rejected, answer_of
from longtale.serve.client_refusals import LONGEST_WAIT_S, Patience, refusal, seconds_until
from longtale.serve.client_request import path_of
from longtale.serve.operation_routes import PreviewQuery
from longtale.serve.problems import Code, Problem, problem_response

ANSWER = Answer(
    slate_id="s-1",
    model_version="3f0c",
    took_ms=6.125,
    stages={"query": 0.25, "score": 5.5},
    degraded=("als",),
    seq=7,
    items=(
        AnswerItem(
            id="318",
            rank=1,
            score=1.25,
            sources={"ease": 0.75, "semantic": 0.5},
            weights={"ease": 0.5},
            band=Band.HEAD,
            reasons=(Reason("chosen_together", "often chosen together", 0.5, ("858",)),),
            item={"title": "Rain"},
            propensity=0.5,
        ),
        AnswerItem("x", 2, None, {}, {}, Band.NEW, (), {}),
    ),
)
COUNTS = {"accepted": 1, "duplicates": 0, "rejected": 0, "errors": [], "seq": 9}


class Service:
    """Answers as it was told to, one after the other, the last again and again; keeps what came."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, type) and issubclass(answer, httpx.HTTPError):
            raise answer("it broke")
        if isinstance(answer, Problem):
            told = problem_response(answer, {"state": {"request_id": "r-1"}})
            return httpx.Response(told.status_code, headers=told.headers, content=told.body)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    @property
    def last(self) -> httpx.Request:
        return self.asked[-1]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.asked]


def waited_for(service: Service, act: Callable[[Client], Any], **more: Any) -> Any:
    with Client(transport=httpx.MockTransport(service), **more) as client:
        return act(client)


def awaited(service: Service, act: Callable[[AsyncClient], Any], **more: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(transport=httpx.MockTransport(service), **more) as client:
            return await act(client)

    return asyncio.run(run())


@pytest.fixture(params=[waited_for, awaited], ids=["sync", "async"])
def with_client(request):
    return request.param


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """What clients wait; nobody does."""

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    found: list[float] = []
    monkeypatch.setattr(client_module, "time", SimpleNamespace(sleep=found.append))
    monkeypatch.setattr(client_module, "anyio", SimpleNamespace(sleep=sleep))
    return found


def refusing(code: Code, **headers: str) -> Problem:
    return Problem(code, "no", headers=headers)


def test_a_slate_comes_back_as_it_was_served(with_client):
    service = Service(ANSWER.as_dict())
    assert with_client(service, lambda c: c.recommend("1", n=2, at_most={"brand": 2})) == ANSWER
    assert service.bodies == [{"n": 2, "at_most": {"brand": 2}}]
    assert (service.last.method, service.last.url.path) == ("POST", "/v1/recommend/1")


def test_what_was_not_asked_for_is_empty():
    values: Any = ANSWER.as_dict()
    for item in values["items"]:
        del item["weights"]
        for reason in item["reasons"]:
            del reason["text"]
    first = answer_of(values).items[0]
    assert (first.weights, first.reasons[0].text) == ({}, "")
    assert first.reasons[0].code == "chosen_together"


def test_what_is_left_out_is_left_to_the_service(with_client):
    service = Service(ANSWER.as_dict())
    with_client(service, lambda c: c.recommend("1"))
    with_client(service, lambda c: c.similar("1"))
    assert service.asked[0].content == b"{}"
    assert service.asked[1].url.query == b""


CALLS: list[tuple[str, Callable[[Any], Any], str, Any, Any]] = [
    (
        "POST",
        lambda c: c.session_recommend(text="quiet", history=["1"]),
        "/v1/sessions/recommend",
        {"text": "quiet", "history": ["1"]},
        ANSWER.as_dict(),
    ),
    ("GET", lambda c: c.similar("1", by="semantic", n=3), "/v1/similar/1?by=semantic&n=3", None, 0),
    (
        "POST",
        lambda c: c.rank(("1", "2"), user="u"),
        "/v1/rank",
        {"items": ["1", "2"], "user": "u"},
        {**ANSWER.as_dict(), "missing": ["2"]},
    ),
    (
        "POST",
        lambda c: c.search("rain", user="u", personal=0.5),
        "/v1/search",
        {"q": "rain", "user": "u", "personal": 0.5},
        0,
    ),
    ("PUT", lambda c: c.put_item("i", {"title": "x"}), "/v1/items/i", {"title": "x"}, {}),
    ("GET", lambda c: c.get_item("i"), "/v1/items/i", None, {}),
    ("PATCH", lambda c: c.patch_item("i", {"title": None}), "/v1/items/i", {"title": None}, {}),
    ("DELETE", lambda c: c.delete_item("i"), "/v1/items/i", None, {}),
    ("PUT", lambda c: c.put_user("u", {"about": "x"}), "/v1/users/u", {"about": "x"}, {}),
    ("GET", lambda c: c.get_user("u"), "/v1/users/u", None, {}),
    ("PATCH", lambda c: c.patch_user("u", {"about": "x"}), "/v1/users/u", {"about": "x"}, {}),
    ("DELETE", lambda c: c.delete_user("u"), "/v1/users/u", None, {}),
    ("GET", lambda c: c.taste("u"), "/v1/users/u/taste", None, {}),
    (
        "PUT",
        lambda c: c.put_taste("u", more=["rain"]),
        "/v1/users/u/taste",
        {"more": ["rain"], "less": [], "muted": []},
        {},
    ),
    ("GET", lambda c: c.export("u"), "/v1/users/u/export", None, {}),
    ("POST", lambda c: c.forget("u"), "/v1/users/u/forget", {}, {}),
    ("GET", lambda c: c.slate("s"), "/v1/slates/s?replay=true", None, {}),
    (
        "GET",
        lambda c: c.explain("s", "i", audience="editor"),
        "/v1/explain/s/i?audience=editor&language=en",
        None,
        {},
    ),
    ("GET", lambda c: c.why_not("u", "i"), "/v1/why-not?item=i&user=u", None, {}),
    (
        "GET",
        lambda c: c.why_not(None, "i", history=["1", "2"], at_most={"brand": 2}, language="zh"),
        "/v1/why-not?item=i&history=1&history=2&at_most=%7B%22brand%22%3A2%7D&language=zh",
        None,
        {},
    ),
    ("GET", lambda c: c.rules(), "/v1/rules", None, {}),
    ("PUT", lambda c: c.put_rule("r", {"action": "pin"}), "/v1/rules/r", {"action": "pin"}, {}),
    ("DELETE", lambda c: c.delete_rule("r"), "/v1/rules/r", None, {}),
    (
        "POST",
        lambda c: c.preview({"action": "pin"}, user="u", n=5),
        "/v1/rules/preview",
        {"rule": {"action": "pin"}, "user": "u", "n": 5},
        {},
    ),
    ("GET", lambda c: c.models(), "/v1/models", None, {}),
    ("POST", lambda c: c.promote("3f"), "/v1/models/3f/promote", {}, {}),
    ("POST", lambda c: c.rollback(), "/v1/models/rollback", {}, {}),
    ("GET", lambda c: c.status(), "/v1/status", None, {}),
    ("GET", lambda c: c.ready(), "/v1/health/ready", None, {}),
]


@pytest.mark.parametrize(
    ("method", "act", "address", "body", "answer"), CALLS, ids=[f"{c[0]} {c[2]}" for c in CALLS]
)
def test_each_method_asks_what_it_says(method, act, address, body, answer, with_client):
    service = Service(answer or (ANSWER.as_dict() if answer == 0 else {}))
    with_client(service, act)
    assert service.last.method == method
    assert service.last.url.raw_path.decode() == address
    assert (json.loads(service.last.content) if service.last.content else None) == body


def public(thing: Any) -> set[str]:
    return {name for name, _ in inspect.getmembers(thing, inspect.isfunction) if name[0] != "_"}


def test_both_clients_do_the_same():
    assert public(Client) == public(AsyncClient)
    for name in public(Client) - {"close"}:
        ours, theirs = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert ours.__doc__ == theirs.__doc__ and ours.__name__ == name


@pytest.mark.parametrize(
    ("options", "message", "own"),
    [
        (client_calls.RecommendOptions, messages.RecommendQuery, set()),
        (client_calls.SessionOptions, messages.SessionQuery, set()),
        (client_calls.SimilarOptions, messages.SimilarQuery, set()),
        (client_calls.RankOptions, messages.RankQuery, {"items"}),
        (client_calls.SearchOptions, messages.SearchQuery, {"q"}),
        (client_calls.WhyNotOptions, messages.WhyNotQuery, {"item", "user"}),
    ],
)
def test_a_client_can_say_all_that_the_service_reads(options, message, own):
    assert options.__annotations__.keys() | own == set(message.model_fields)


@pytest.mark.parametrize(
    ("method", "address"), [(c[0], c[2]) for c in CALLS], ids=[f"{c[0]} {c[2]}" for c in CALLS]
)
def test_every_method_has_an_endpoint(method, address):
    asked = {"type": "http", "method": method, "path": address.partition("?")[0]}
    routes = [endpoint.route() for endpoint in ENDPOINTS]
    assert any(route.matches(asked)[0] is Match.FULL for route in routes)


@pytest.mark.parametrize(
    ("plan", "message", "own"),
    [
        (client_calls.slate, messages.SlateQuery, {"slate_id"}),
        (client_calls.explain, messages.ExplainQuery, {"slate_id", "item"}),
        (client_calls.preview, PreviewQuery, set()),
    ],
)
def test_a_client_can_say_all_that_an_endpoint_reads(plan, message, own):
    assert set(inspect.signature(plan).parameters) - own == set(message.model_fields)


@pytest.mark.parametrize("name", ["Audience", "Language", "Explain"])
def test_a_client_knows_the_words_of_the_service(name):
    assert get_args(getattr(client_calls, name)) == get_args(getattr(messages, name))


def test_an_order_says_which_ids_are_not_known(with_client):
    service = Service({**ANSWER.as_dict(), "missing": ["2"]})
    ranking = with_client(service, lambda c: c.rank(["318", "2"]))
    assert (ranking.answer, ranking.missing) == (ANSWER, ("2",))


def test_the_key_is_sent_and_never_shown(with_client):
    service = Service({}, refusing(Code.FORBIDDEN))
    with_client(service, lambda c: c.status(), key="lt_x_secret")
    assert service.last.headers["authorization"] == "Bearer lt_x_secret"
    with pytest.raises(ServiceError, match="403") as caught:
        with_client(service, lambda c: c.status(), key="lt_x_secret")
    assert "secret" not in repr(caught.value) + repr(Client(key="lt_x_secret"))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@example(".")
@example("..")
@example("a/b?c#d%2F")
def test_every_id_is_one_part_of_a_path(own_id):
    service = Service({})
    waited_for(service, lambda c: c.get_item(own_id))
    raw = service.last.url.raw_path.decode()
    assert raw.count("/") == 3 and raw.startswith("/v1/items/") and "?" not in raw
    assert service.last.url.path == f"/v1/items/{own_id}"


@pytest.mark.parametrize(("own_id", "why"), [("", "is empty"), ("\ud800", "half a character")])
def test_what_can_be_no_id_is_not_sent(own_id, why):
    with pytest.raises(QueryError, match=why):
        path_of("items", own_id)


def test_a_service_below_a_path_is_found():
    service = Service({})
    waited_for(service, lambda c: c.get_item("1"), url="https://shop.example/longtale/")
    assert str(service.last.url) == "https://shop.example/longtale/v1/items/1"


def test_events_are_given_ids_and_keep_their_own(with_client):
    service = Service(COUNTS)
    events = [{"event_id": "mine", "kind": "view"}, {"kind": "buy"}, {"kind": "buy"}]
    with_client(service, lambda c: c.send_events(events))
    ids = [event["event_id"] for event in service.bodies[0]]
    assert ids[0] == "mine" and len(set(ids)) == 3 and all(ids)
    assert events[1] == {"kind": "buy"}


def test_one_event_is_a_list_of_one():
    service = Service(COUNTS)
    counts = waited_for(service, lambda c: c.send_events({"kind": "view"}))
    assert counts == Counts(accepted=1, seq=9)
    assert len(service.bodies[0]) == 1


def test_an_event_that_is_sent_again_keeps_its_id(with_client, waits):
    service = Service(httpx.ReadError, refusing(Code.STORE_UNAVAILABLE), COUNTS)
    with_client(service, lambda c: c.send_events({"kind": "view"}))
    assert len({request.content for request in service.asked}) == 1 and len(service.asked) == 3


def test_many_events_go_in_parts(with_client, monkeypatch):
    monkeypatch.setattr(client_rows, "MOST_ROWS", 2)
    service = Service(
        {**COUNTS, "accepted": 2, "seq": 5},
        {
            **COUNTS,
            "accepted": 0,
            "duplicates": 1,
            "rejected": 1,
            "errors": [{"line": 2, "pointer": "/kind", "code": "unknown_kind", "hint": "h"}],
        },
        {**COUNTS, "seq": 3},
    )
    counts = with_client(service, lambda c: c.send_events({"value": v} for v in range(5)))
    assert [[event["value"] for event in body] for body in service.bodies] == [[0, 1], [2, 3], [4]]
    wrong = Rejected(4, "/kind", "unknown_kind", "", "h")
    assert counts == Counts(accepted=3, duplicates=1, rejected=1, errors=(wrong,), seq=9)
    assert counts.sent == 5


def test_nothing_to_send_is_not_sent(with_client):
    service = Service(COUNTS)
    assert with_client(service, lambda c: c.send_events([])) == Counts()
    assert not service.asked


@pytest.mark.parametrize("what", ["items", "users", "events"])
def test_rows_go_as_lines_of_json(what, with_client):
    service = Service(COUNTS)
    at = datetime(2024, 5, 1, tzinfo=UTC)
    with_client(service, lambda c: c.bulk(what, [{"id": "ä\n1"}, {"id": "2", "time": at}]))
    lines = [json.loads(line) for line in service.last.content.split(b"\n")]
    assert [line["id"] for line in lines] == ["ä\n1", "2"]
    assert lines[1]["time"] == "2024-05-01T00:00:00+00:00"
    assert ["event_id" in line for line in lines] == [what == "events"] * 2
    assert service.last.url.path == f"/v1/bulk/{what}"
    assert service.last.headers["content-type"] == "application/x-ndjson"


def test_a_part_has_no_more_bytes_than_are_read(monkeypatch):
    monkeypatch.setattr(client_rows, "MOST_BYTES", 100)
    service = Service(COUNTS)
    waited_for(
        service, lambda c: c.bulk("items", ({"id": "x" * n} for n in (50, 20, 10, 10, 500, 1)))
    )
    sizes = [[len(json.loads(x)["id"]) for x in r.content.split(b"\n")] for r in service.asked]
    assert sizes == [[50, 20], [10, 10], [500], [1]]


def test_rows_are_read_as_they_are_sent(monkeypatch):
    def rows():
        for n in range(6):
            read.append(len(service.asked))
            yield {"id": str(n)}

    monkeypatch.setattr(client_rows, "MOST_ROWS", 2)
    service = Service(COUNTS)
    read: list[int] = []
    waited_for(service, lambda c: c.bulk("items", rows()))
    assert read == [0, 0, 0, 1, 1, 2]


def test_an_error_between_parts_says_how_far_it_came(with_client, monkeypatch):
    monkeypatch.setattr(client_rows, "MOST_ROWS", 1)
    service = Service(COUNTS, refusing(Code.FORBIDDEN))
    with pytest.raises(RefusedError, match="forbidden") as caught:
        with_client(service, lambda c: c.bulk("items", [{"id": "1"}, {"id": "2"}]))
    assert "rows up to 1 were taken before" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("value", "why"),
    [(float("nan"), "not JSON compliant"), ("\ud800", "surrogates"), (Path(), "Path")],
)
def test_what_is_no_json_is_not_sent(value, why):
    service = Service({})
    with pytest.raises(QueryError, match=f"cannot be sent as JSON: .*{why}"):
        waited_for(service, lambda c: c.put_item("1", {"x": value}))
    assert not service.asked


@pytest.mark.parametrize(
    "trouble",
    [
        refusing(Code.RATE_LIMITED),
        refusing(Code.OVERLOADED),
        refusing(Code.STORE_UNAVAILABLE),
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.ReadError,
        httpx.RemoteProtocolError,
    ],
    ids=str,
)
def test_what_is_lost_or_turned_away_is_asked_again(trouble, with_client, waits):
    service = Service(trouble, trouble, {"seq": 1})
    assert with_client(service, lambda c: c.status()) == {"seq": 1}
    assert (len(service.asked), len(waits)) == (3, 2)


@pytest.mark.parametrize("code", [c for c in Code if c.status not in (429, 503)])
def test_what_would_be_refused_again_is_not_asked_again(code, with_client, waits):
    service = Service(refusing(code))
    with pytest.raises(RefusedError, match=code.value):
        with_client(service, lambda c: c.status())
    assert (len(service.asked), waits) == (1, [])


def test_a_service_that_is_too_slow_is_not_asked_again(with_client, waits):
    service = Service(httpx.ReadTimeout)
    with pytest.raises(
        ServiceError, match=r"no answer from the service at http://127\.0\.0\.1:8000"
    ):
        with_client(service, lambda c: c.status())
    assert len(service.asked) == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_patience_ends(retries, with_client, waits):
    service = Service(httpx.ConnectError)
    with pytest.raises(ServiceError, match=r"it broke; see that it runs \(longtale serve\)"):
        with_client(service, lambda c: c.status(), retries=retries)
    assert (len(service.asked), len(waits)) == (retries + 1, retries)


@pytest.mark.parametrize(
    ("trouble", "n_asked"),
    [
        (refusing(Code.OVERLOADED), 2),
        (httpx.ConnectError, 2),
        (refusing(Code.STORE_UNAVAILABLE), 1),
        (httpx.ReadError, 1),
    ],
    ids=str,
)
def test_a_step_back_is_taken_again_only_if_it_was_not_taken(trouble, n_asked, with_client, waits):
    service = Service(trouble, {"active": "3f"})
    if n_asked == 1:
        with pytest.raises(ServiceError, match="no"):
            with_client(service, lambda c: c.rollback())
    else:
        with_client(service, lambda c: c.rollback())
    assert len(service.asked) == n_asked


@pytest.mark.parametrize("answer", [refusing(Code.NOT_READY), httpx.ConnectError])
def test_who_cannot_answer_is_not_ready_and_that_is_known_at_once(answer, with_client, waits):
    service = Service(answer)
    assert with_client(service, lambda c: c.ready()) is False
    assert len(service.asked) == 1
    assert with_client(Service({}), lambda c: c.ready()) is True


def test_what_the_service_asks_to_wait_is_waited(with_client, waits):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20))
    troubles = [refusing(Code.OVERLOADED, **{"Retry-After": said}) for said in ("7", later)]
    with_client(Service(*troubles, {}), lambda c: c.status())
    assert 7 <= waits[0] <= 7.1 and 17 <= waits[1] <= 20.2


def test_who_is_asked_to_wait_long_is_told_instead(with_client, waits):
    service = Service(refusing(Code.RATE_LIMITED, **{"Retry-After": "60"}))
    with pytest.raises(RefusedError, match="rate_limited") as caught:
        with_client(service, lambda c: c.status())
    assert (caught.value.retry_after_s, waits) == (60, [])


def test_waits_grow_and_are_not_the_same_for_all():
    def drawn(seed: int) -> list[float]:
        patience = Patience(12, random.Random(seed))
        waits = [patience.after_failure(n, is_sure=True) for n in range(12)]
        return [wait for wait in waits if wait is not None]

    many = [drawn(seed) for seed in range(200)]
    longest = [max(waits) for waits in zip(*many, strict=True)]
    assert longest == pytest.approx([min(0.1 * 2**n, LONGEST_WAIT_S) for n in range(12)], rel=0.1)
    assert min(min(waits) for waits in zip(*many, strict=True)) < 0.01
    assert drawn(1) == drawn(1) != drawn(2)


@given(st.text())
def test_any_retry_after_is_read(said):
    seconds = seconds_until(said)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("", None),
        ("-1", None),
        ("٣", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(said, expected):
    assert seconds_until(said) == expected


def test_a_refusal_carries_all_that_the_service_said(with_client):
    problem = Problem(Code.BAD_DATA, "'n' is 0", pointer="/n", hint="1 to 200")
    with pytest.raises(
        RefusedError, match=r"422 bad_data: 'n' is 0 \(at '/n'\); 1 to 200"
    ) as caught:
        with_client(Service(problem), lambda c: c.recommend("1", n=0))
    error = caught.value
    told = (error.status, error.code, error.detail, error.hint, error.pointer, error.request_id)
    assert told == (422, "bad_data", "'n' is 0", "1 to 200", "/n", "r-1")
    assert isinstance(error, ServiceError)


@given(st.binary(max_size=400), st.integers(300, 599))
def test_whatever_answers_in_place_of_the_service_is_a_refusal(body, status):
    error = refusal(status, {}, body)
    assert error.status == status and len(str(error)) < 1000


def test_what_a_proxy_says_is_shown(with_client):
    answer = httpx.Response(502, text="<h1>Bad gateway</h1>", headers={"x-request-id": "p-1"})
    with pytest.raises(RefusedError, match="502 without a code: <h1>Bad gateway") as caught:
        with_client(Service(answer), lambda c: c.status())
    assert (caught.value.code, caught.value.request_id) == ("", "p-1")


def test_another_address_is_not_gone_to(with_client):
    answer = httpx.Response(307, headers={"location": "http://elsewhere.example/"})
    with pytest.raises(RefusedError, match="307 without a code: the answer is empty"):
        with_client(Service(answer), lambda c: c.status())


def test_another_service_is_recognised(with_client):
    with pytest.raises(ServiceError, match="/v1/status answered with something that is not JSON"):
        with_client(Service(httpx.Response(200, text="hello")), lambda c: c.status())


def test_an_address_does_not_show_its_password():
    service = Service(httpx.ConnectError)
    with pytest.raises(ServiceError, match=r"at https://shop\.example:1: it broke") as caught:
        waited_for(
            service, lambda c: c.status(), url="https://ann:hunter2@shop.example:1", retries=0
        )
    assert "hunter2" not in str(caught.value)
