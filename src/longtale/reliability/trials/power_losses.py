"""An acknowledged event is never lost: the power is cut under the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from longtale.feedback import sqlite_store
from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Outcome


def power_losses(bench: Bench) -> Outcome:
    """Cut the power at random moments and compare what is left with what was acknowledged."""
    from longtale.reliability.power_loss import power_loss_trial

    losses = [power_loss_trial(seed) for seed in range(bench.scale.n_power_losses)]
    bad = [seed for seed, loss in enumerate(losses) if loss.lost or loss.invented]
    measured = {
        "power_losses": len(losses),
        "lost": sum(len(loss.lost) for loss in losses),
        "invented": sum(len(loss.invented) for loss in losses),
        "bad_seeds": len(bad),
    }
    return Outcome(
        measured, not bad, f"something is wrong under the seeds {bad[:5]}" if bad else ""
    )


@contextmanager
def without_sync() -> Iterator[None]:
    """Let SQLite sync nothing to the disk."""
    pragmas = tuple(p.replace("synchronous=FULL", "synchronous=OFF") for p in sqlite_store._PRAGMAS)
    with patch.object(sqlite_store, "_PRAGMAS", pragmas):
        yield
