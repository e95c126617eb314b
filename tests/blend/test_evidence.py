from __future__ import annotations

from dataclasses import replace

import numpy as np

from longtale.arrays import DAY
from longtale.blend.evidence import item_evidence, request_evidence, widened
from longtale.data.interactions import Histories
from longtale.data.query import Queries
from longtale.data.synthetic import dataset_of


def test_item_touched_nine_times_is_usual_and_an_untouched_one_new():
    evidence = item_evidence(dataset_of([[0]] * 9, n_items=2))
    np.testing.assert_allclose(evidence, [[0, 0, 0], [-np.log(10), 1, 0]], atol=1e-6)


def test_age_counts_from_the_first_event_to_the_last_of_all():
    dataset = dataset_of([[0, 1]], n_items=2)
    events = dataset.interactions
    times = replace(events.histories, times=np.array([0, 99 * DAY]))
    evidence = item_evidence(replace(dataset, interactions=replace(events, histories=times)))
    np.testing.assert_allclose(evidence[:, 2], [0, -np.log(100)], atol=1e-6)


def test_later_items_look_untouched():
    evidence = item_evidence(dataset_of([[0, 1]], n_items=2))
    untouched = [-np.log(10), 1, 0]
    np.testing.assert_allclose(widened(evidence, 3)[2], untouched, atol=1e-6)


def test_request_tells_how_long_its_history_is_and_how_long_ago_it_ended():
    times = np.array([0, 3 * DAY])
    histories = replace(Histories.of([[1, 2], []]), times=times)
    queries = Queries(np.array([0, -1], np.int32), histories, times=np.array([12 * DAY, 12 * DAY]))
    np.testing.assert_allclose(
        request_evidence(queries), [[np.log(0.3), 0], [-np.log(10), 0]], atol=1e-6
    )
