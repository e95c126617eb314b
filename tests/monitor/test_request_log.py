from __future__ import annotations

import json
import logging

import pytest

from longtale.monitor.request_log import JsonLines, RequestLog

UUID = "0b0f6f0e-6c0e-4f0b-8a55-2f3f6a1f9d3c"


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger="longtale")
    caplog.handler.setFormatter(JsonLines())

    def read() -> list[dict[str, object]]:
        return [json.loads(line) for line in caplog.text.splitlines()]

    return read


def test_a_line_says_what_was_asked_and_how_it_went(lines):
    RequestLog().answered(
        request_id=UUID,
        route="/v1/recommend/{user}",
        method="GET",
        status=200,
        ms=4.23456,
        degraded=["ease"],
    )
    (line,) = lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "longtale.requests",
        "message": "answered a request",
        "request_id": UUID,
        "route": "/v1/recommend/{user}",
        "method": "GET",
        "status": 200,
        "ms": 4.235,
        "degraded": ["ease"],
    }


def test_ids_are_hashed_alike_within_a_process_and_differently_in_another(lines):
    first, second = RequestLog(), RequestLog()
    for log in (first, first, second):
        log.answered(
            request_id=UUID, route="/", method="GET", status=200, ms=1, user="ann", key="k7"
        )
    found = lines()
    assert found[0]["user"] == found[1]["user"] != found[2]["user"]
    assert found[0]["key"] == found[1]["key"] != found[2]["key"]
    assert all("ann" not in str(line) and "k7" not in str(line) for line in found)


@pytest.mark.parametrize(
    "sent", ["ann@example.org", "+14155550123", "4155550123456789", "Ann B", ""]
)
def test_a_request_id_that_somebody_chose_is_hashed(lines, sent):
    RequestLog().answered(request_id=sent, route="/", method="GET", status=200, ms=1)
    (line,) = lines()
    assert line["request_id"].startswith("hashed-")
    assert not sent or sent not in str(line)


@pytest.mark.parametrize("sent", [UUID, UUID.upper(), "4bf92f3577b34da6a3ce929d0e0e4736"])
def test_a_request_id_of_a_machine_stays(lines, sent):
    RequestLog().answered(request_id=sent, route="/", method="GET", status=200, ms=1)
    assert lines()[0]["request_id"] == sent


@pytest.mark.parametrize("status, level", [(200, "info"), (422, "info"), (500, "warning")])
def test_what_the_service_is_to_blame_for_is_a_warning(lines, status, level):
    RequestLog().answered(request_id=UUID, route="/", method="GET", status=status, ms=1)
    assert lines()[0]["level"] == level


def test_an_error_is_told_by_class_and_place_without_its_message(lines):
    try:
        int("ann@example.org")
    except ValueError:
        logging.getLogger("longtale").exception("could not answer")
    (line,) = lines()
    assert line["error"] == "ValueError"
    assert line["at"][-1].startswith("test_request_log.py:")
    assert "ann" not in str(line)


def test_a_line_stays_one_line_whatever_it_holds(lines):
    RequestLog().answered(
        request_id="a\nb", route="/\n\u2028\ud800", method="GET", status=200, ms=1
    )
    assert len(lines()) == 1
