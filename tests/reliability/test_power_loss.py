from __future__ import annotations

import pytest

from longtale.feedback.sqlite_store import SQLiteStore
from longtale.reliability.power_loss import Loss, power_loss_trial


@pytest.mark.parametrize("seed", range(50))
def test_no_loss_of_power_takes_what_was_acknowledged_or_brings_back_what_was_not(seed):
    assert power_loss_trial(seed) == Loss(lost=(), invented=())


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_a_store_that_syncs_less_is_caught(synchronous):
    losses = (power_loss_trial(seed, synchronous=synchronous) for seed in range(40))
    assert any(loss.lost for loss in losses)


def test_a_store_that_writes_batches_in_parts_is_caught(monkeypatch):
    append = SQLiteStore.append
    monkeypatch.setattr(
        SQLiteStore, "append", lambda self, records: [append(self, [each]) for each in records]
    )
    losses = (power_loss_trial(seed) for seed in range(40))
    assert any(loss.invented for loss in losses)


def test_a_store_that_forgets_too_much_is_caught(monkeypatch):
    forget = SQLiteStore.forget

    def forget_all(self, user):
        for each in range(5):
            forget(self, f"u{each}")

    monkeypatch.setattr(SQLiteStore, "forget", forget_all)
    assert any(power_loss_trial(seed).lost for seed in range(40))


def test_a_store_that_does_not_forget_is_caught(monkeypatch):
    monkeypatch.setattr(SQLiteStore, "forget", lambda self, user: None)
    assert any(power_loss_trial(seed).invented for seed in range(40))


def test_the_same_seed_gives_the_same_loss():
    first, again = (power_loss_trial(0, synchronous="OFF") for _ in range(2))
    assert first == again
    assert first.lost
