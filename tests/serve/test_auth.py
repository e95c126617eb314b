from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.wire import LOCAL, Told, ask, fine, request

from longtale.errors import SettingsError
from longtale.serve.auth import Auth, is_loopback, key_of, refuse_unsafe
from longtale.serve.keys import KeyRing, Scope, new_key
from longtale.serve.problems import Problems

NOW = 1_000_000
MADE = {scope: new_key(scope, scope.value, now=NOW) for scope in Scope}
PATHS = {"/open": None, "/read": Scope.READ, "/write": Scope.WRITE, "/admin": Scope.ADMIN}


def ring() -> KeyRing:
    found = KeyRing()
    for made in MADE.values():
        found = found.with_record(made.key.record(NOW))
    return found


def guarded(keys: KeyRing, app=fine) -> Problems:
    return Problems(Auth(app, lambda: keys, lambda _, path: PATHS[path], clock=lambda: NOW))


def tell(path: str, *headers: tuple[str, str], keys: KeyRing | None = None, **changes) -> Told:
    app = guarded(ring() if keys is None else keys)
    return ask(app, request(path=path, headers=headers, **changes))


@pytest.mark.parametrize("way", ["authorization", "x-api-key"])
@pytest.mark.parametrize("has", list(Scope))
@pytest.mark.parametrize("path", PATHS)
def test_a_key_opens_what_its_scope_reaches_and_no_more(path, has, way):
    token = MADE[has].token
    told = tell(path, (way, token if way == "x-api-key" else f"Bearer {token}"))
    needed = PATHS[path]
    assert told.status == (200 if needed is None or has.reaches(needed) else 403)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("said", [None, "Bearer x", "Bearer ", "Basic YTpi", "bearer", ""])
def test_without_a_good_key_only_what_is_open_is_open(path, said):
    told = tell(path, *([] if said is None else [("authorization", said)]), *LOCAL.items())
    assert told.status == (200 if PATHS[path] is None else 401)


def test_a_refusal_says_how_to_ask():
    assert tell("/read").headers["www-authenticate"] == 'Bearer realm="longtale"'
    bad = tell("/read", ("x-api-key", "lt_x"))
    assert bad.headers["www-authenticate"] == 'Bearer realm="longtale", error="invalid_token"'
    low = tell("/admin", ("x-api-key", MADE[Scope.READ].token))
    assert low.headers["www-authenticate"].endswith('error="insufficient_scope", scope="admin"')
    assert "has the scope 'read'; this needs 'admin'" in low.json["detail"]


def test_the_scheme_is_read_in_any_case():
    assert tell("/read", ("authorization", f"bEARER {MADE[Scope.READ].token}")).status == 200


def test_two_keys_are_one_too_many():
    token = MADE[Scope.ADMIN].token
    told = tell("/read", ("authorization", f"Bearer {token}"), ("x-api-key", token))
    assert (told.status, "more than one key" in told.json["detail"]) == (401, True)


@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_gets_through_or_breaks_anything(said):
    assert tell("/read", ("authorization", said)).status == 401
    assert tell("/read", ("x-api-key", said)).status == 401


def test_the_application_sees_the_key_and_never_its_token():
    async def app(scope, receive, send):
        seen.append((key_of(scope), str(scope["headers"])))
        await fine(scope, receive, send)

    seen = []
    made = MADE[Scope.READ]
    for path in ("/read", "/open"):
        ask(guarded(ring(), app), request(path=path, headers={"x-api-key": made.token}))
    assert [key for key, _ in seen] == [made.key, None]
    assert made.token not in str(seen)


@pytest.mark.parametrize("path", ["/read", "/admin"])
def test_a_token_is_in_no_answer_and_no_log(path, caplog):
    tokens = [MADE[Scope.READ].token, MADE[Scope.READ].token[:-1] + "~"]
    with caplog.at_level(logging.DEBUG):
        told = [
            tell(path, ("authorization", f"{how} {t}")) for t in tokens for how in ("Bearer", "")
        ]
    for token in tokens:
        assert token.split("_", 2)[-1] not in str(told) + caplog.text


def test_a_key_opens_from_the_moment_the_ring_has_it():
    keys = ring()
    late = new_key(Scope.READ, "late", now=NOW)
    app = Auth(fine, lambda: keys, lambda *_: Scope.READ, clock=lambda: NOW)
    scope = request(headers={"x-api-key": late.token})
    assert ask(Problems(app), {**scope}).status == 401
    keys = keys.with_record(late.key.record(NOW))
    assert ask(Problems(app), {**scope}).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"])
@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_do_all_where_there_is_no_key(host, client):
    assert tell("/admin", ("host", host), keys=KeyRing(), client=(client, 1)).status == 200


def test_this_machine_needs_a_key_as_soon_as_there_is_one():
    assert tell("/read", *LOCAL.items()).status == 401


@pytest.mark.parametrize("client", [("192.168.1.5", 1), ("::ffff:8.8.8.8", 1), ("", 1), None])
def test_others_may_do_nothing_where_there_is_no_key(client):
    told = tell("/read", *LOCAL.items(), keys=KeyRing(), client=client)
    assert (told.status, "only this machine" in told.json["detail"]) == (401, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "shop.example:8000"},  # a name that was made to point here
        {"host": "127.0.0.1.example"},
        {"host": "[::1"},
        {},
        {**LOCAL, "origin": "http://evil.example"},  # a page from elsewhere
        {**LOCAL, "origin": "http://127.0.0.1:9999"},
        {**LOCAL, "origin": "null"},
        {**LOCAL, "x-forwarded-for": "127.0.0.1"},  # a proxy on this machine
        {**LOCAL, "forwarded": "for=127.0.0.1"},
    ],
)
def test_what_only_passes_through_this_machine_may_do_nothing(headers):
    assert tell("/read", *headers.items(), keys=KeyRing()).status == 401


def test_a_page_of_the_service_itself_may_ask():
    own = {**LOCAL, "origin": "http://127.0.0.1:8000"}
    assert tell("/write", *own.items(), keys=KeyRing()).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shop.example", ""])
def test_nobody_serves_others_without_a_key(host):
    with pytest.raises(SettingsError, match="there is no key; make one with: longtale keys"):
        refuse_unsafe(host, KeyRing())
    refuse_unsafe(host, ring())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_this_machine_alone_is_served_without_a_key(host):
    refuse_unsafe(host, KeyRing())
    assert is_loopback(host)


def test_a_websocket_is_closed():
    told = Told()
    asyncio.run(guarded(ring())({"type": "websocket"}, None, told.send))
    assert told.messages == [{"type": "websocket.close", "code": 1008}]
