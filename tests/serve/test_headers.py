from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.wire import ask, fine, request

from longtale.serve.headers import SECURITY, Envelope, request_id, server_timing

VISIBLE = re.compile(r"[\x21-\x7e]{1,128}")
METRIC = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+;dur=-?\d+\.\d{3}")


def answering(*headers: tuple[bytes, bytes]) -> Envelope:
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b""})

    return Envelope(app)


@given(st.binary(max_size=200))
def test_every_request_has_an_id_that_can_be_logged(said):
    assert VISIBLE.fullmatch(request_id([(b"x-request-id", said)]))


@given(st.from_regex(rb"[\x21-\x7e]{1,128}", fullmatch=True))
def test_an_id_that_the_caller_chose_stays(said):
    assert request_id([(b"x-request-id", said)]) == said.decode()


@pytest.mark.parametrize("said", ["", "a b", "x" * 129, "a\nb", "\xe9"])
def test_an_id_that_cannot_be_logged_is_replaced(said):
    told = ask(Envelope(fine), request(headers={"x-request-id": said}))
    assert re.fullmatch(r"[0-9a-f]{32}", told.headers["x-request-id"])


def test_two_requests_have_two_ids():
    assert request_id([]) != request_id([])


def test_the_answer_says_the_id_that_the_application_sees():
    async def app(scope, receive, send):
        seen.append(scope["state"]["request_id"])
        await fine(scope, receive, send)

    seen: list[str] = []
    told = ask(Envelope(app), request())
    assert [told.headers["x-request-id"]] == seen


@given(st.dictionaries(st.text(max_size=20), st.floats(width=32), max_size=5))
def test_stage_times_are_a_header_whatever_the_stages_are_called(stages):
    header = server_timing(stages)
    assert all(METRIC.fullmatch(metric) for metric in header.split(", ") if header)


def test_stage_times_that_the_application_books_are_told():
    async def app(scope, receive, send):
        scope["state"]["stages"].update(score=1.25, present=0.5)
        await fine(scope, receive, send)

    told = ask(Envelope(app), request())
    assert told.headers["server-timing"] == "score;dur=1.250, present;dur=0.500"
    assert "server-timing" not in ask(Envelope(fine), request()).headers


def test_every_answer_is_safe_in_a_browser():
    headers = ask(Envelope(fine), request(path="/studio")).headers
    assert SECURITY.items() <= {n.encode(): v.encode() for n, v in headers.items()}.items()
    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(("path", "expected"), [("/v1/rank", "no-store"), ("/studio", None)])
def test_only_answers_are_kept_out_of_caches(path, expected):
    assert ask(Envelope(fine), request(path=path)).headers.get("cache-control") == expected


def test_what_the_application_says_itself_stays():
    own = [(b"cache-control", b"max-age=60"), (b"content-security-policy", b"sandbox")]
    headers = ask(answering(*own), request()).headers
    assert headers["cache-control"] == "max-age=60"
    assert headers["content-security-policy"] == "sandbox"


def test_what_runs_here_is_not_told():
    headers = ask(answering((b"server", b"x/1.0"), (b"x-powered-by", b"y")), request()).headers
    assert not {"server", "x-powered-by"} & set(headers)


def test_any_part_can_add_to_the_answer():
    async def app(scope, receive, send):
        scope["state"]["headers"].append((b"ratelimit-limit", b"5"))
        await fine(scope, receive, send)

    assert ask(Envelope(app), request()).headers["ratelimit-limit"] == "5"
