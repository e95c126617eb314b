"""Texts said differently, by an endpoint that the tests run themselves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from longtale.errors import ServiceError, SettingsError
from longtale.language.augment.chat import Chat
from longtale.language.augment.chat_settings import ChatSettings

Reply = Callable[[dict[str, Any]], tuple[int, dict[str, str], object]]


def said(words: str, finish: str = "stop") -> dict[str, object]:
    return {"choices": [{"message": {"content": words}, "finish_reason": finish}]}


def louder(body: dict[str, Any]) -> tuple[int, dict[str, str], object]:
    return 200, {}, said(f" {body['messages'][-1]['content'].upper()}! \n")


class Endpoint(ThreadingHTTPServer):
    """Answers as it is told, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply: Reply = louder
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def texts(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.asked]


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.paths.append(self.path)
        self.server.keys.append(self.headers.get("Authorization"))
        status, headers, answer = self.server.reply(body)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def asked(endpoint: Endpoint, texts: list[str], **values: object) -> list[str | None]:
    with made(endpoint, **values) as chat:
        return chat.said_differently(texts)


def made(endpoint: Endpoint, waits: list[float] | None = None, **values: object) -> Chat:
    settings = ChatSettings.parse({"url": endpoint.url, "model": "m", **values})
    wait = (lambda _: None) if waits is None else waits.append
    return Chat(settings, environment={"KEY": "s3cret"}, wait=wait)


def test_each_text_comes_back_in_other_words(endpoint):
    assert asked(endpoint, ["a film", "a book"]) == ["A FILM!", "A BOOK!"]
    assert endpoint.paths == ["/v1/chat/completions"] * 2
    assert endpoint.asked[0]["model"] == "m"
    assert endpoint.keys == [None, None]


def test_only_what_was_asked_is_sent_and_nothing_twice(endpoint):
    found = asked(endpoint, ["a film", " ", "", "a film", " a film "])
    assert found == ["A FILM!", None, None, "A FILM!", "A FILM!"]
    assert endpoint.texts == ["a film"]
    roles = [message["role"] for message in endpoint.asked[0]["messages"]]
    assert roles == ["system", "user"]


def test_kept_answers_are_not_asked_for_again(endpoint, tmp_path):
    cache = {"cache": str(tmp_path / "answers")}
    asked(endpoint, ["a film"], **cache)
    assert asked(endpoint, ["a film", "a book"], **cache) == ["A FILM!", "A BOOK!"]
    assert endpoint.texts == ["a film", "a book"]
    asked(endpoint, ["a film"], model="other", **cache)
    assert endpoint.texts == ["a film", "a book", "a film"]


def test_a_text_is_translated_there_and_back(endpoint):
    assert asked(endpoint, ["a film"], through="German", language="Dutch") == ["A FILM!!"]
    tasks = [body["messages"][0]["content"] for body in endpoint.asked]
    assert "from Dutch into German" in tasks[0]
    assert "from German into Dutch" in tasks[1]
    assert endpoint.texts == ["a film", "A FILM!"]


def test_no_more_requests_are_made_than_allowed(endpoint):
    with made(endpoint, max_requests=2) as chat:
        assert chat.said_differently(["a", "b", "c", "a"]) == ["A!", "B!", None, "A!"]
        assert chat.n_requests == 2
    assert endpoint.texts == ["a", "b"]


def test_repeated_requests_count_as_requests(endpoint):
    endpoint.reply = lambda _: (503, {}, {})
    assert asked(endpoint, ["a", "b"], max_requests=2, retries=5) == [None, None]
    assert len(endpoint.asked) == 2


def test_what_fails_for_a_passing_reason_is_asked_again_ever_later(endpoint):
    answers = iter([(429, {}, {}), (500, {}, {}), (503, {"Retry-After": "7"}, {})])
    endpoint.reply = lambda body: next(answers, louder(body))
    waits: list[float] = []
    with made(endpoint, waits, wait_s=1) as chat:
        assert chat.said_differently(["a"]) == ["A!"]
    assert waits == [1, 2, 7]


def test_an_endpoint_does_not_decide_to_wait_for_hours(endpoint):
    endpoint.reply = lambda _: (429, {"Retry-After": "9000"}, {})
    waits: list[float] = []
    with made(endpoint, waits, retries=1) as chat, pytest.raises(ServiceError, match="status 429"):
        chat.said_differently(["a"])
    assert waits == [60]


def test_an_endpoint_that_is_too_slow_is_given_up(endpoint):
    gone_on = threading.Event()
    endpoint.reply = lambda body: (gone_on.wait(10), louder(body))[1]
    with pytest.raises(ServiceError, match="timed out"):
        asked(endpoint, ["a"], timeout_s=0.05, retries=1)
    gone_on.set()
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    "reply, message",
    [
        ((401, {}, {}), r"status 401.*model 'm' and the key in KEY"),
        ((302, {"Location": "http://127.0.0.1:1/"}, {}), "status 302"),
        ((200, {}, b"<html>"), "an answer that is not JSON"),
        ((200, {}, {"choices": []}), r"no choices\[0\].message.content"),
        ((200, {}, [1]), r"no choices\[0\].message.content"),
    ],
)
def test_what_will_not_pass_is_not_asked_again(endpoint, reply, message):
    endpoint.reply = lambda _: reply
    with pytest.raises(ServiceError, match=message) as caught:
        asked(endpoint, ["a"], key_variable="KEY")
    assert len(endpoint.asked) == 1
    assert "s3cret" not in str(caught.value)


def test_answers_before_a_failure_are_kept(endpoint, tmp_path):
    endpoint.reply = lambda body: louder(body) if len(endpoint.asked) == 1 else (400, {}, {})
    cache = {"cache": str(tmp_path / "answers")}
    with pytest.raises(ServiceError, match="answers so far are kept in"):
        asked(endpoint, ["a", "b"], **cache)
    endpoint.reply = louder
    assert asked(endpoint, ["a", "b"], **cache) == ["A!", "B!"]
    assert endpoint.texts == ["a", "b", "b"]


@pytest.mark.parametrize("answer", [said("a fi", "length"), said(" "), said("a film")])
def test_what_is_cut_off_or_empty_or_the_same_is_nothing(endpoint, answer):
    endpoint.reply = lambda _: (200, {}, answer)
    assert asked(endpoint, ["a film", "a film"]) == [None, None]
    assert len(endpoint.asked) == 1


def test_the_key_comes_from_the_environment(endpoint):
    asked(endpoint, ["a"], key_variable="KEY")
    assert endpoint.keys == ["Bearer s3cret"]


def test_a_key_that_is_not_there_is_asked_for(endpoint):
    with pytest.raises(SettingsError, match="key_variable = 'NO_KEY', but the environment has no"):
        made(endpoint, key_variable="NO_KEY")


def test_progress_is_told(endpoint):
    told: list[int] = []
    with made(endpoint) as chat:
        chat.said_differently(["a", "", "b"], on_progress=told.append)
    assert told == [1, 1, 1]
