from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from longtale.arrays import unit_rows
from longtale.data.arrivals import Arrivals, appended
from longtale.data.synthetic import generated
from longtale.models import gram_change
from longtale.models.ease import EASE, EASESettings
from longtale.models.gram_change import solved
from longtale.models.sequence_linear import SequenceLinear, SequenceLinearSettings
from longtale.models.text_ease import TextEASE, TextEASESettings
from longtale.models.turn import Turn
from longtale.seeds import generator

N_USERS, N_ITEMS = 120, 60


@pytest.fixture(scope="module")
def dataset():
    dataset = generated(generator(0, "gram change"), N_USERS, N_ITEMS, 900)
    return dataset.with_interactions(dataset.interactions.items != 7)


@pytest.fixture(scope="module")
def events(dataset):
    """Give events of three users and a newcomer, on an item without events, too; one comes late."""
    first = int(dataset.interactions.times.max())
    items = [7, 12, 20, 7, 5]
    times = [first + 3, first + 1, dataset.histories(np.array([9])).times[0] + 1, first + 2, first]
    return Arrivals.of([4, 4, 9, N_USERS, 11], items, times=times, newcomers=("new",))


@pytest.fixture(scope="module")
def later(dataset, events):
    return appended(dataset, events)


@pytest.fixture(autouse=True)
def step_by_step(monkeypatch):
    monkeypatch.setattr(gram_change, "_DEAR", 0)


@pytest.fixture(params=[0, 1e9], ids=["step by step", "at once"])
def either_way(request, monkeypatch):
    monkeypatch.setattr(gram_change, "_DEAR", request.param)


def vectors():
    drawn = generator(1, "gram change").normal(size=(N_ITEMS, 5)).astype(np.float32)
    return unit_rows(drawn)


def weights_of(model):
    every = np.arange(N_ITEMS)
    return model.evidence(every, every)


def near(found, expected, share=3e-3):
    np.testing.assert_allclose(found, expected, rtol=share, atol=share * np.abs(expected).max())


@pytest.mark.parametrize("n_factors", [1, 2])
def test_both_ways_solve_for_every_column(either_way, n_factors):
    liked = sparse.random_array((80, 40), density=0.2, rng=generator(2, "solve"), format="csr")
    liked = sparse.csr_array(liked.astype(np.float32))
    factors = (liked.T, liked) if n_factors == 2 else (sparse.csr_array(liked.T @ liked),)
    wanted = generator(3, "solve").normal(size=(40, 7)).astype(np.float32)
    wanted[:, 3] = 0
    expected = np.linalg.solve((liked.T @ liked).toarray() + 2 * np.eye(40), wanted)
    near(solved(factors, wanted, 2.0), expected)


def test_what_was_there_is_told_from_what_came(dataset, events, later):
    turn = Turn.of(later, events, N_ITEMS)
    assert turn.new.tolist() == [5, 7, 12, 20]
    old = dataset.histories(np.array([4, 9, 11]))
    np.testing.assert_array_equal(turn.before.items, old.items)
    np.testing.assert_array_equal(turn.before.times, old.times)
    np.testing.assert_array_equal(turn.before.lengths, [*old.lengths, 0])
    np.testing.assert_array_equal(
        turn.now.items, later.histories(np.array([4, 9, 11, N_USERS])).items
    )


def test_of_events_alike_the_last_one_came():
    first = Arrivals.of([0, 0, 0], [1, 2, 1], newcomers=("u",))
    before = appended(generated(generator(0, "alike"), 0, 5, 0, with_times=False), first)
    again = Arrivals.of([0], [1])
    turn = Turn.of(appended(before, again), again, 5)
    assert turn.was.tolist() == [True, True, True, False]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("changes", [{}, {"nearness": 2.0}, {"tail": 0.6}, {"max_items": 30}])
def test_all_that_moves_in_ease_is_as_in_a_fit(dataset, events, later, monkeypatch, changes):
    monkeypatch.setattr(gram_change, "_NOTICED", 0.0)
    monkeypatch.setattr(gram_change, "_BLOCK", 7)
    settings = EASESettings(l2=4, **changes)
    found = EASE.fit(dataset, settings).updated(later, events)
    fitted = EASE.fit(later, settings)
    near(weights_of(found), weights_of(fitted))
    np.testing.assert_array_equal(found.weights.known, fitted.weights.known)


@pytest.mark.parametrize("nearness", [None, 2.0])
def test_all_that_moves_in_text_ease_is_as_in_a_fit(dataset, events, later, monkeypatch, nearness):
    monkeypatch.setattr(gram_change, "_NOTICED", 0.0)
    settings = TextEASESettings(l2=2, text=3, nearness=nearness, max_items=30)
    found = TextEASE.fit(dataset, settings, vectors()).updated(later, events)
    fitted = TextEASE.fit(later, settings, vectors())
    near(found.rows, fitted.rows)
    near(weights_of(found), weights_of(fitted))


def test_touched_items_in_sequence_linear_are_as_in_a_fit(dataset, events, later):
    settings = SequenceLinearSettings(l2=4)
    model = SequenceLinear.fit(dataset, settings)
    touched = [5, 7, 12, 20]
    found = weights_of(model.updated(later, events))
    near(found[:, touched], weights_of(SequenceLinear.fit(later, settings))[:, touched])
    others = np.setdiff1d(np.arange(N_ITEMS), touched)
    np.testing.assert_array_equal(found[:, others], weights_of(model)[:, others])


def test_weights_that_hardly_move_stay_as_they_are(dataset, events, later):
    settings = EASESettings(l2=400)
    model = EASE.fit(dataset, settings)
    found, old = weights_of(model.updated(later, events)), weights_of(model)
    stayed = (found == old).all(axis=0)
    assert 0.2 < stayed.mean() < 1
    fitted = weights_of(EASE.fit(later, settings))
    assert np.abs(found - fitted)[:, stayed].max() < 2 * gram_change._NOTICED / 400


def test_weak_weights_that_were_dropped_come_back_where_an_item_is_touched(dataset, events, later):
    settings = EASESettings(l2=4, kept=8)
    found = weights_of(EASE.fit(dataset, settings).updated(later, events))
    fitted = weights_of(EASE.fit(later, settings))
    touched = [5, 7, 12, 20]
    near(found[:, touched], fitted[:, touched])
    assert (np.count_nonzero(found, axis=0) <= 8).all()


def test_what_touched_items_say_is_not_what_is_left_of_dropped_weights(dataset):
    rng = generator(4, "touched")
    touched = rng.permutation(N_ITEMS)[:25]
    users = rng.integers(N_USERS, size=len(touched))
    events = Arrivals.of(users.tolist(), touched.tolist(), times=[10**18] * len(touched))
    later = appended(dataset, events)
    model = EASE.fit(dataset, EASESettings(l2=4, kept=15))
    found, old = weights_of(model.updated(later, events)), weights_of(model)
    whole = weights_of(EASE.fit(later, EASESettings(l2=4)))
    said = np.zeros_like(found, dtype=bool)
    said[touched] = True
    said[:, touched] = False
    said &= (found != 0) & (found != old)
    assert np.abs(found - whole)[said].mean() < 0.01 * np.abs(whole[said]).max()


@pytest.mark.parametrize("model", ["ease", "text_ease"])
def test_an_item_that_comes_in_brings_all_its_history(dataset, monkeypatch, model):
    monkeypatch.setattr(gram_change, "_NOTICED", 0.0)
    place = np.argsort(-dataset.item_counts, kind="stable")[31]
    events = Arrivals.of([3] * 9, [place] * 9, times=[10**18] * 9)
    later = appended(dataset, events)
    turn = Turn.of(later, events, 30)
    assert (turn.known & ~turn.knew).sum() == (turn.knew & ~turn.known).sum() == 1
    found, fitted = (part for part in changed_and_fitted(model, dataset, later, events))
    near(weights_of(found), weights_of(fitted))
    np.testing.assert_array_equal(found.weights.known, fitted.weights.known)


def changed_and_fitted(model, dataset, later, events):
    if model == "ease":
        settings = EASESettings(l2=4, max_items=30)
        return EASE.fit(dataset, settings).updated(later, events), EASE.fit(later, settings)
    settings = TextEASESettings(l2=2, text=3, max_items=30)
    old = TextEASE.fit(dataset, settings, vectors())
    return old.updated(later, events), TextEASE.fit(later, settings, vectors())


def test_many_new_events_are_learned_as_by_a_fit(dataset, monkeypatch):
    monkeypatch.setattr(gram_change, "_DEAR", 1e9)
    items = np.arange(N_ITEMS)
    events = Arrivals.of(items.tolist(), items[::-1].tolist(), times=[10**18] * N_ITEMS)
    later = appended(dataset, events)
    settings = EASESettings(l2=4, kept=6)
    found = EASE.fit(dataset, settings).updated(later, events)
    near(weights_of(found), weights_of(EASE.fit(later, settings)))


def test_dismissals_are_not_looked_up(dataset, events):
    turned_down = replace(events, weights=-events.weights)
    assert Turn.of(appended(dataset, turned_down), turned_down, N_ITEMS).is_empty
