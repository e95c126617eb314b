from __future__ import annotations

import hmac
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtale.data.record import Record, RecordKind
from longtale.serve.keys import Key, KeyRing, Refusal, Scope, new_key

NOW = 1_000_000
MADE = new_key(Scope.WRITE, "shop window", now=NOW)
RING = KeyRing().with_record(MADE.key.record(NOW))


def with_key(key: Key) -> KeyRing:
    return KeyRing().with_record(key.record(NOW))


def test_a_key_opens_with_its_token():
    assert RING.check(MADE.token, now=NOW) == MADE.key


def test_a_token_has_the_id_and_256_random_bits():
    assert re.fullmatch(rf"lt_{MADE.key.id}_[\w-]{{43}}", MADE.token)
    assert len({new_key(Scope.READ, "", now=0).token for _ in range(20)}) == 20


def test_what_is_kept_does_not_hold_the_secret():
    secret = MADE.token.split("_", 2)[2]  # which may hold an underscore itself
    kept = repr(MADE) + repr(MADE.key) + repr(RING) + str(MADE.key.record(NOW))
    assert secret not in kept
    assert MADE.key.hash not in repr(RING)


@given(st.text() | st.from_regex(r"lt_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", fullmatch=True))
def test_no_other_token_opens(token):
    assert RING.check(token, now=NOW) is Refusal.UNKNOWN


@pytest.mark.parametrize("place", [3, -1])
def test_a_token_with_one_other_sign_opens_nothing(place):
    other = "0" if MADE.token[place] != "0" else "1"
    token = MADE.token[:place] + other + (MADE.token[place + 1 :] if place > 0 else "")
    assert RING.check(token, now=NOW) is Refusal.UNKNOWN


@pytest.mark.parametrize(
    "token",
    [MADE.token, new_key(Scope.READ, "", now=0).token, "x", ""],
    ids=["known", "unknown", "malformed", "empty"],  # tokens differ from process to process
)
def test_every_token_costs_one_comparison_that_takes_the_same_time(token, monkeypatch):
    def counted(a, b):
        compared.append((len(a), len(b)))
        return same(a, b)

    compared: list[tuple[int, int]] = []
    same = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", counted)
    RING.check(token, now=NOW)
    assert compared == [(64, 64)]


def test_a_revoked_key_opens_nothing_and_only_its_holder_learns_why():
    ring = RING.with_record(MADE.key.revoked().record(NOW))
    assert ring.check(MADE.token, now=NOW) is Refusal.REVOKED
    assert ring.check(MADE.token[:-2] + "__", now=NOW) is Refusal.UNKNOWN


def test_a_key_opens_until_it_expires():
    ring = with_key(replace(MADE.key, expires_at=NOW + 5))
    assert isinstance(ring.check(MADE.token, now=NOW + 4), Key)
    assert ring.check(MADE.token, now=NOW + 5) is Refusal.EXPIRED


def test_a_key_survives_the_log():
    key = replace(MADE.key, expires_at=NOW + 5, is_revoked=True)
    assert with_key(key).keys == {key.id: key}


def test_a_key_that_is_taken_away_is_not_known():
    gone = Record(RecordKind.KEY, MADE.key.id, None, "gone", NOW)
    assert RING.with_record(gone).is_empty


def test_a_ring_ignores_what_is_no_key():
    other = Record(RecordKind.ITEM, MADE.key.id, {"title": "x"}, "i", NOW)
    assert RING.with_record(other) is RING


def test_a_ring_stays_as_it_was():
    RING.with_record(new_key(Scope.READ, "", now=NOW).key.record(NOW))
    assert list(RING.keys) == [MADE.key.id]


def test_a_ring_of_revoked_keys_is_not_empty():
    assert KeyRing().is_empty
    assert not with_key(MADE.key.revoked()).is_empty


def test_nobody_can_know_the_id_of_a_record_of_a_key():
    key = MADE.key.revoked()
    assert key.record(NOW).id != key.record(NOW).id


def test_each_scope_reaches_as_far_as_those_before_it():
    reached = {scope: [s for s in Scope if scope.reaches(s)] for scope in Scope}
    assert reached == {
        Scope.READ: [Scope.READ],
        Scope.WRITE: [Scope.READ, Scope.WRITE],
        Scope.ADMIN: [Scope.READ, Scope.WRITE, Scope.ADMIN],
    }
