from __future__ import annotations

import logging

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.serve.wire import ask, request

from longtale.errors import (
    BundleCorruptError,
    ColumnError,
    DataError,
    EncoderError,
    FilterError,
    QueryError,
    SettingsError,
    SourceError,
    StoreError,
    UnknownIdError,
)
from longtale.serve.problems import (
    MEDIA_TYPE,
    Code,
    Problem,
    Problems,
    on_http_exception,
    problem_of,
)

SECRET = "postgresql://ann:hunter2@db/shop"


def raising(error: Exception) -> Problems:
    async def app(scope, receive, send):
        raise error

    return Problems(app)


def test_every_code_has_a_title_of_its_own_and_the_status_of_a_failure():
    assert len({code.summary for code in Code}) == len(Code)
    assert all(400 <= code.status < 600 for code in Code)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnknownIdError("no item 'x'"), 404, Code.UNKNOWN_ID),
        (QueryError("n is 0"), 422, Code.BAD_QUERY),
        (FilterError("unexpected ')'"), 422, Code.BAD_FILTER),
        (DataError("no rows"), 422, Code.BAD_DATA),
        (ColumnError("no column 'x'"), 422, Code.BAD_DATA),
        (StoreError(SECRET), 503, Code.STORE_UNAVAILABLE),
        (SourceError(SECRET), 500, Code.INTERNAL),
        (SettingsError(SECRET), 500, Code.INTERNAL),
        (EncoderError(SECRET), 500, Code.INTERNAL),
        (BundleCorruptError(SECRET), 500, Code.INTERNAL),
        (ValueError(SECRET), 500, Code.INTERNAL),
        (HTTPException(404), 404, Code.NOT_FOUND),
        (HTTPException(405), 405, Code.METHOD_NOT_ALLOWED),
        (HTTPException(400), 400, Code.BAD_REQUEST),
        (HTTPException(502, SECRET), 500, Code.INTERNAL),
    ],
)
def test_each_error_has_its_status_and_code(error, status, code):
    told = ask(raising(error), request())
    assert told.status == status == told.json["status"]
    assert told.json["code"] == code == problem_of(error).code
    assert told.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize("kind", [StoreError, SourceError, SettingsError, ValueError, KeyError])
def test_what_happened_inside_stays_inside(kind, caplog):
    with caplog.at_level(logging.WARNING, "longtale"):
        told = ask(raising(kind(SECRET)), request())
    assert "hunter2" not in told.body.decode() + str(told.headers) + caplog.text


def test_what_was_not_foreseen_is_logged_under_the_id_of_the_request(caplog):
    with caplog.at_level(logging.WARNING, "longtale"):
        told = ask(raising(ValueError("x")), request(state={"request_id": "r-1"}))
    assert told.json["request_id"] == "r-1"
    assert "error=ValueError at=test_problems.py:" in caplog.text
    assert "request_id=r-1" in caplog.text


def test_a_foreseen_problem_is_no_line_in_the_log(caplog):
    with caplog.at_level(logging.DEBUG, "longtale"):
        ask(raising(Problem(Code.BAD_DATA, "no")), request())
    assert not caplog.text


def test_a_problem_says_where_and_what_to_do():
    problem = Problem(
        Code.BAD_DATA, "'n' is 0", pointer="/n", hint="1 to 200", headers={"Retry-After": "3"}
    )
    told = ask(raising(problem), request(state={"request_id": "r-1"}))
    assert told.headers["retry-after"] == "3"
    assert told.json == {
        "type": "urn:longtale:problem:bad_data",
        "title": "What was sent cannot be used",
        "status": 422,
        "code": "bad_data",
        "detail": "'n' is 0",
        "request_id": "r-1",
        "pointer": "/n",
        "hint": "1 to 200",
    }


def test_the_pointer_to_all_of_the_body_is_not_left_out():
    assert Problem(Code.BAD_DATA, "no", pointer="").as_dict("")["pointer"] == ""
    assert "pointer" not in Problem(Code.BAD_DATA, "no").as_dict("")


def test_halves_of_characters_and_long_quotes_can_be_told():
    told = ask(raising(QueryError("\ud800" + "x" * 100_000)), request())
    assert told.json["detail"].startswith("?x")
    assert len(told.body) < 3000


def test_half_an_answer_is_never_finished():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError

    assert [m["type"] for m in ask(Problems(app), request()).messages] == ["http.response.start"]


def test_who_is_gone_gets_no_answer(caplog):
    assert not ask(raising(ClientDisconnect()), request()).messages
    assert not caplog.text


def test_the_router_refuses_in_the_same_form():
    app = Starlette(
        routes=[Route("/here", lambda request: PlainTextResponse(""), methods=["POST"])],
        exception_handlers={HTTPException: on_http_exception},
    )
    assert ask(app, request("GET", "/there")).json["code"] == "not_found"
    told = ask(app, request("GET", "/here"))
    assert (told.json["code"], told.headers["allow"]) == ("method_not_allowed", "POST")
