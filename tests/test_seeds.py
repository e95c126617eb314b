from __future__ import annotations

import numpy as np

from longtale.seeds import dealt, generator


def test_one_seed_and_purpose_give_one_stream():
    assert generator(7, "split").integers(1 << 60) == generator(7, "split").integers(1 << 60)


def test_purposes_are_independent():
    assert generator(7, "split").integers(1 << 60) != generator(7, "bootstrap").integers(1 << 60)


def test_seeds_are_independent():
    assert generator(7, "split").integers(1 << 60) != generator(8, "split").integers(1 << 60)


def test_numbers_of_a_purpose_never_change():
    """Splits that were published stay what they were."""
    assert generator(0, "split").integers(1000, size=4).tolist() == [267, 526, 233, 490]


def test_all_rows_of_one_owner_go_to_one_part():
    owners = np.repeat(np.arange(40), 5)
    parts = dealt(owners, 3, generator(0, "split"))
    assert all(len(set(parts[owners == owner].tolist())) == 1 for owner in range(40))
    assert sorted(np.bincount(parts).tolist()) == [65, 65, 70]


def test_rows_without_an_owner_stand_alone():
    parts = dealt(np.full(90, -1), 3, generator(0, "split"))
    assert np.bincount(parts).tolist() == [30, 30, 30]
