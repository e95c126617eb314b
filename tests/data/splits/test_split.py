from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longtale.data.dataset import Dataset
from longtale.data.interactions import Histories, Interactions
from longtale.data.splits.folds import Fold
from longtale.data.splits.split import ProtocolName, Split, SplitSettings, split, validation_fold
from longtale.data.synthetic import checkerboard, dataset_of, generated
from longtale.errors import SettingsError, SplitError
from longtale.seeds import generator

SETTINGS = SplitSettings()
REFUSED = "nobody can be asked|no event is earlier|no event is left"
LEAVE_ONE_OUT = (ProtocolName.REFIT, ProtocolName.STRICT)
ALL = tuple(ProtocolName)
BY_ORDER = tuple(name for name in ALL if name is not ProtocolName.TIME)
every_protocol = pytest.mark.parametrize("name", ALL)


def world(seed: int = 0, *, with_times: bool = True) -> Dataset:
    """120 users with some repeated items, and some dismissals at chance times."""
    rng = generator(seed, "world")
    dataset = generated(rng, 120, 400, 1200, with_times=with_times, taste=0.2)
    users = np.sort(rng.integers(120, size=80))
    dismissed = [rng.integers(400, size=n).tolist() for n in np.bincount(users, minlength=120)]
    times = None
    if dataset.interactions.times is not None:
        times = rng.choice(dataset.interactions.times, size=80)
        times = times[np.lexsort((times, users))]
    return replace(dataset, dismissals=Interactions.of(dismissed, times=times))


def crowd() -> Dataset:
    """60 users who come one after the other, meet items 0 ... 9 and dismiss item 10."""
    times = [[100 * user + i for i in range(10)] for user in range(60)]
    return dataset_of([list(range(10))] * 60, times=times, dismissed=[[10]] * 60)


def both(parts: Split) -> tuple[Fold, Fold]:
    return parts.validation, parts.test


def target_pairs(fold: Fold) -> set[tuple[int, int]]:
    users = np.repeat(fold.queries.user_rows, fold.targets.lengths)
    return set(zip(users.tolist(), fold.targets.items.tolist(), strict=True))


def event_pairs(events: Interactions) -> set[tuple[int, int]]:
    return set(zip(events.users.tolist(), events.items.tolist(), strict=True))


def lists_of(fold: Fold) -> list[tuple[int, list[int], list[int]]]:
    """Each request as user, history and targets."""
    histories, targets = fold.queries.histories, fold.targets
    return [
        (
            int(user),
            histories.items[histories.offsets[b] : histories.offsets[b + 1]].tolist(),
            targets.items[targets.offsets[b] : targets.offsets[b + 1]].tolist(),
        )
        for b, user in enumerate(fold.queries.user_rows)
    ]


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 1000))
def test_no_target_is_in_the_history_or_seen_or_trained_on(name, seed):
    for fold in both(split(world(seed), name, SplitSettings(seed=seed))):
        for b, (_, history, targets) in enumerate(lists_of(fold)):
            assert targets, "every query has a target"
            assert len(set(targets)) == len(targets)
            assert not set(targets) & set(history)
            row = fold.seen.indices[fold.seen.indptr[b] : fold.seen.indptr[b + 1]]
            assert not set(targets) & set(row.tolist())
            assert set(history) <= set(row.tolist())
        assert not target_pairs(fold) & event_pairs(fold.train.interactions)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 1000))
def test_validation_never_uses_an_event_of_the_test(name, seed):
    parts = split(world(seed), name, SplitSettings(seed=seed))
    tested = target_pairs(parts.test)
    validation = parts.validation
    used = target_pairs(validation) | event_pairs(validation.train.interactions)
    histories = validation.queries.histories
    asked = np.repeat(validation.queries.user_rows, histories.lengths).tolist()
    used |= set(zip(asked, histories.items.tolist(), strict=True))
    assert not tested & used


@every_protocol
def test_folds_keep_all_users_and_items(name):
    dataset = world()
    for fold in both(split(dataset, name, SETTINGS)):
        assert fold.train.users.fingerprint == dataset.users.fingerprint
        assert fold.train.items.fingerprint == dataset.items.fingerprint
        assert fold.seen.shape == (len(fold), dataset.n_items)
        assert len(fold.targets) == len(fold.queries) == len(fold)


@every_protocol
def test_a_seed_decides_the_split(name):
    cuts = [
        split(world(), name, SplitSettings(seed=seed, n_validation_users=10)) for seed in (1, 1, 2)
    ]
    assert lists_of(cuts[0].validation) == lists_of(cuts[1].validation)
    assert lists_of(cuts[0].test) == lists_of(cuts[1].test)
    assert lists_of(cuts[0].validation) != lists_of(cuts[2].validation)


@every_protocol
def test_no_more_users_validate_than_asked_for(name):
    parts = split(crowd(), name, SplitSettings(n_validation_users=3))
    assert len(set(parts.validation.queries.user_rows.tolist())) == 3
    assert len(set(parts.test.queries.user_rows.tolist())) >= 6


@every_protocol
def test_the_stamp_is_one_line_with_name_data_and_rules(name):
    stamp = split(world(), name, SETTINGS).protocol.stamp
    assert stamp.startswith(f"{name.value}; seed 0; n_validation_users 2048; ")
    assert f"data {world().fingerprint[:12]}; " in stamp
    assert stamp.endswith("seen masked; ties half")
    assert "\n" not in stamp


CHANGES = [
    *[(name, {"seed": 1}) for name in ALL],
    *[(name, {"n_validation_users": 5}) for name in ALL],
    (ProtocolName.TIME, {"test_share": 0.2}),
    (ProtocolName.TIME, {"validation_share": 0.2}),
    (ProtocolName.COLD_ITEMS, {"cold_share": 0.2}),
    (ProtocolName.COLD_USERS, {"cold_share": 0.2}),
    (ProtocolName.COLD_USERS, {"given": (0, 1)}),
]


@pytest.mark.parametrize("name,change", CHANGES)
def test_the_stamp_changes_with_every_setting_that_decides(name, change):
    changed = split(world(), name, SplitSettings.parse(change))
    assert changed.protocol != split(world(), name, SETTINGS).protocol


@every_protocol
def test_the_stamp_changes_with_the_data(name):
    stamps = {split(world(seed), name, SETTINGS).protocol.stamp for seed in (0, 1)}
    assert len(stamps) == 2


@pytest.mark.parametrize("name", BY_ORDER)
def test_an_order_alone_is_enough_but_for_the_time(name):
    parts = split(world(with_times=False), name, SETTINGS)
    assert parts.test.queries.times is None
    assert len(parts.test) > 0


def test_the_time_protocol_needs_times():
    with pytest.raises(SplitError, match=r"'time' needs the time of each event.*use protocol"):
        split(world(with_times=False), ProtocolName.TIME, SETTINGS)


@pytest.mark.parametrize("name", ALL)
def test_a_world_in_which_nobody_can_be_asked_is_refused(name):
    lonely = dataset_of([[0], [0]], times=[[1], [1]])
    with pytest.raises(SplitError, match=REFUSED):
        split(lonely, name, SETTINGS)


@every_protocol
def test_a_world_without_events_is_refused(name):
    empty = dataset_of([[], []], times=[[], []], n_items=3)
    with pytest.raises(SplitError, match=REFUSED):
        split(empty, name, SETTINGS)


def test_refit_asks_for_the_last_item_and_trains_on_what_came_before():
    parts = split(dataset_of([[0, 1, 2, 3], [4, 5], [6]]), ProtocolName.REFIT, SETTINGS)
    assert lists_of(parts.test) == [(0, [0, 1, 2], [3]), (1, [4], [5])]
    assert lists_of(parts.validation) == [(0, [0, 1], [2])]
    assert parts.test.train is parts.validation.train
    assert parts.test.train.interactions.items.tolist() == [0, 1, 4, 6]


def test_refit_trains_on_the_last_training_item_of_who_does_not_validate():
    dataset = dataset_of([[u, u + 1, u + 2, u + 3] for u in range(20)])
    parts = split(dataset, ProtocolName.REFIT, SplitSettings(n_validation_users=5))
    lengths = parts.test.train.interactions.histories.lengths
    validating = parts.validation.queries.user_rows
    assert lengths[validating].tolist() == [2] * 5
    assert lengths.sum() == 20 * 3 - 5


def test_strict_takes_two_items_of_everyone_and_asks_with_the_second_last():
    parts = split(dataset_of([[0, 1, 2, 3], [4, 5], [6, 7, 8]]), ProtocolName.STRICT, SETTINGS)
    assert lists_of(parts.test) == [(0, [0, 1, 2], [3]), (2, [6, 7], [8])]
    assert lists_of(parts.validation) == [(0, [0, 1], [2]), (2, [6], [7])]
    assert parts.test.train.interactions.items.tolist() == [0, 1, 4, 5, 6]


@pytest.mark.parametrize("name", LEAVE_ONE_OUT)
def test_a_user_whose_last_item_is_an_old_one_is_not_asked(name):
    parts = split(dataset_of([[0, 1, 2, 3], [0, 1, 2, 0]]), name, SETTINGS)
    assert parts.test.queries.user_rows.tolist() == [0]


@pytest.mark.parametrize("name", LEAVE_ONE_OUT)
def test_leave_one_out_asks_at_the_time_of_the_target(name):
    dataset = dataset_of([[0, 1, 2, 3]], times=[[10, 20, 30, 30]])
    parts = split(dataset, name, SETTINGS)
    assert parts.test.queries.times.tolist() == [30]
    assert parts.validation.queries.times.tolist() == [30]


@pytest.mark.parametrize("name", LEAVE_ONE_OUT)
def test_a_later_dismissal_is_not_known(name):
    dataset = dataset_of([[0, 1, 2, 3]], times=[[10, 20, 30, 40]], n_items=6)
    times = np.array([5, 35, 50])
    dataset = replace(dataset, dismissals=Interactions.of([[4, 5, 3]], times=times))
    parts = split(dataset, name, SETTINGS)
    assert sorted(parts.test.seen.indices.tolist()) == [0, 1, 2, 4, 5]
    assert sorted(parts.validation.seen.indices.tolist()) == [0, 1, 4]
    assert parts.test.train.dismissals.items.tolist() == [4]


def test_a_validation_fold_holds_out_one_item_of_each_drawn_user():
    dataset = world(with_times=False)
    fold = validation_fold(dataset, SplitSettings(n_validation_users=7))
    assert len(dataset.interactions) - len(fold.train.interactions) == 7
    assert len(fold) <= 7


def test_a_validation_fold_needs_somebody_to_ask():
    with pytest.raises(SplitError, match="nobody can be asked: none of 2 users"):
        validation_fold(dataset_of([[0], [1]]), SETTINGS)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_in_time_all_that_is_known_is_earlier_than_all_that_is_asked(seed):
    dataset = world(seed)
    validation, test = both(split(dataset, ProtocolName.TIME, SETTINGS))
    for fold in (validation, test):
        cut = fold.queries.times[0]
        assert (fold.queries.times == cut).all()
        for known in (fold.train.interactions, fold.train.dismissals, fold.queries.histories):
            assert (known.times < cut).all()
        assert (fold.targets.times >= cut).all()
    assert (validation.targets.times < test.queries.times[0]).all()


def test_in_time_the_shares_of_events_are_held_out():
    dataset = world()
    parts = split(dataset, ProtocolName.TIME, SplitSettings(test_share=0.2, validation_share=0.1))
    n_events = len(dataset.interactions)
    assert len(parts.test.train.interactions) == round(0.8 * n_events)
    assert len(parts.validation.train.interactions) == round(0.7 * n_events)
    assert "validation_share 0.1; test_share 0.2; cut 20" in parts.protocol.stamp


def test_in_time_events_tied_with_the_cut_are_asked():
    times = [[0, 1, 2, 3, 4, 5, 6, 7, 7, 7]]
    share = SplitSettings(test_share=0.2, validation_share=0.2)
    parts = split(dataset_of([list(range(10))], times=times), ProtocolName.TIME, share)
    assert lists_of(parts.test) == [(0, [0, 1, 2, 3, 4, 5, 6], [7, 8, 9])]
    assert lists_of(parts.validation) == [(0, [0, 1, 2, 3, 4, 5], [6])]


def test_in_time_newcomers_take_part():
    dataset = dataset_of([list(range(9)), [3]], times=[list(range(9)), [9]])
    parts = split(dataset, ProtocolName.TIME, SETTINGS)
    assert lists_of(parts.test) == [(1, [], [3])]


def test_in_time_a_repeated_item_is_no_target():
    dataset = dataset_of([[0, 1, 2, 0, 3]], times=[[0, 1, 2, 3, 4]])
    parts = split(dataset, ProtocolName.TIME, SplitSettings(test_share=0.4, validation_share=0.2))
    assert lists_of(parts.test) == [(0, [0, 1, 2], [3])]


def test_events_all_of_one_time_cannot_be_cut():
    dataset = dataset_of([[0, 1, 2]] * 9, times=[[5, 5, 5]] * 9)
    with pytest.raises(SplitError, match=r"no event is earlier than the validation cut: of 27"):
        split(dataset, ProtocolName.TIME, SETTINGS)


def test_hidden_items_are_ranked_among_themselves_and_were_never_met():
    dataset = world()
    validation, test = both(split(dataset, ProtocolName.COLD_ITEMS, SETTINGS))
    for fold in (validation, test):
        assert fold.train.item_counts[fold.ranked].sum() == 0
        assert fold.train.dismissals.items[fold.ranked[fold.train.dismissals.items]].size == 0
        assert fold.ranked[fold.targets.items].all()
        assert not fold.ranked[fold.queries.histories.items].any()
    assert test.ranked.sum() == round(0.1 * (dataset.item_counts > 0).sum())
    assert not (validation.ranked & test.ranked).any()


def test_every_interaction_with_a_hidden_item_is_a_target():
    dataset = dataset_of([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 1, 4, 3]])
    test = split(dataset, ProtocolName.COLD_ITEMS, SplitSettings(cold_share=0.4)).test
    hidden = np.flatnonzero(test.ranked).tolist()
    assert len(hidden) == 2
    for _, history, targets in lists_of(test):
        assert sorted(targets) == hidden
        assert sorted(history) == sorted(set(range(5)) - set(hidden))


def test_held_out_users_left_no_event():
    validation, test = both(split(crowd(), ProtocolName.COLD_USERS, SETTINGS))
    for fold in (validation, test):
        users = np.unique(fold.queries.user_rows)
        assert fold.train.interactions.histories.lengths[users].sum() == 0
        assert fold.train.dismissals.histories.lengths[users].sum() == 0
    assert not set(validation.queries.user_rows) & set(test.queries.user_rows)
    assert len(np.unique(test.queries.user_rows)) == 6


def test_cold_users_are_asked_with_their_first_events_for_their_last_fifth():
    dataset = dataset_of([list(range(14)) for _ in range(10)])
    test = split(dataset, ProtocolName.COLD_USERS, SplitSettings(given=(0, 3, 12, 13))).test
    user = test.queries.user_rows[0]
    assert test.given.tolist() == [0, 3, 12]
    assert lists_of(test) == [(user, list(range(k)), [12, 13]) for k in (0, 3, 12)]


def test_cold_users_have_the_same_targets_however_much_is_known():
    test = split(world(), ProtocolName.COLD_USERS, SETTINGS).test
    by_user: dict[int, set[tuple[int, ...]]] = {}
    for user, _, targets in lists_of(test):
        by_user.setdefault(user, set()).add(tuple(targets))
    assert all(len(targets) == 1 for targets in by_user.values())
    assert test.queries.histories.lengths.tolist() == test.given.tolist()


def test_a_user_with_a_single_event_is_asked_with_nothing_known():
    dataset = dataset_of([[0]] * 5)
    test = split(dataset, ProtocolName.COLD_USERS, SETTINGS).test
    assert [targets for _, _, targets in lists_of(test)] == [[0]]
    assert test.given.tolist() == [0]


@pytest.mark.parametrize(
    "wrong", [{"cold_share": 0.9}, {"test_share": 0}, {"given": (-1,)}, {"given": ()}, {"sed": 1}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SplitSettings.parse(wrong)


def test_requests_whose_every_target_was_met_before_are_counted():
    dataset = dataset_of([[0, 1, 0], [0, 1, 2], [1, 0, 1]])
    test = split(dataset, ProtocolName.REFIT, SplitSettings()).test
    assert (len(test), test.n_left_out) == (1, 2)


def test_batches_hold_every_request_once_in_order():
    fold = split(checkerboard(10, 12), ProtocolName.COLD_USERS, SplitSettings()).test
    parts = list(fold.batches(3))
    assert [len(part) for part in parts[:-1]] == [3] * (len(parts) - 1)
    assert Histories.concatenated([part.targets for part in parts]).items.tolist() == (
        fold.targets.items.tolist()
    )
    assert np.concatenate([part.given for part in parts]).tolist() == fold.given.tolist()
    assert (np.vstack([part.seen.toarray() for part in parts]) == fold.seen.toarray()).all()
