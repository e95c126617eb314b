from __future__ import annotations

from longtale.seeds import generator


def test_one_seed_and_purpose_give_one_stream():
    assert generator(7, "split").integers(1 << 60) == generator(7, "split").integers(1 << 60)


def test_purposes_are_independent():
    assert generator(7, "split").integers(1 << 60) != generator(7, "bootstrap").integers(1 << 60)


def test_seeds_are_independent():
    assert generator(7, "split").integers(1 << 60) != generator(8, "split").integers(1 << 60)


def test_numbers_of_a_purpose_never_change():
    """Splits that were published stay what they were."""
    assert generator(0, "split").integers(1000, size=4).tolist() == [267, 526, 233, 490]
