from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from longtale.errors import MissingExtraError, SettingsError
from longtale.monitor.metrics import METRICS, Kind
from longtale.monitor.telemetry import Telemetry
from longtale.monitor.workers import FOLDER_VARIABLE, shared_metrics


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry(clock) -> Telemetry:
    return Telemetry(clock=clock)


def scraped(telemetry: Telemetry) -> dict[str, dict[tuple[str, ...], float]]:
    text, _ = telemetry.exposition()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def busy(telemetry: Telemetry) -> None:
    """Let everything happen that is counted."""
    telemetry.answered(route="/v1/recommend/{user}", method="GET", status=200, seconds=0.004)
    telemetry.turned_away("full")
    telemetry.slate_served(
        items=["a", "b"], bands=["head", "tail"], degraded=["ease"], stages={"blend": 2.0}
    )
    telemetry.slates_dropped()
    telemetry.events_taken(kind="view", accepted=3, duplicate=2, rejected=1)
    telemetry.acknowledged(7)
    telemetry.applied(7)
    telemetry.refreshed("learn", seconds=0.2)
    telemetry.refresh_failed("catalog")
    telemetry.model_in_use("m1", trained_at=1_700_000_000_000_000)
    telemetry.model_swapped("promoted")
    telemetry.store_is(up=True)
    telemetry.sizes(items=10, users=4)


def test_every_declared_metric_is_scraped_with_its_labels(telemetry):
    busy(telemetry)
    text, media_type = telemetry.exposition()
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert media_type.startswith("text/plain")
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert family.type == metric.kind
        assert family.documentation == metric.help
        assert family.samples, metric.name
        labels = set(family.samples[0].labels) - {"le"}
        assert labels == {label.name for label in metric.labels}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_names_are_as_prometheus_wants_them(telemetry):
    busy(telemetry)
    text, _ = telemetry.exposition()
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_answer_is_counted_under_route_method_and_class_of_status(telemetry):
    telemetry.answered(route="/v1/events", method="POST", status=201, seconds=0.02)
    telemetry.answered(route="/v1/events", method="POST", status=422, seconds=0.02)
    assert telemetry.value("longtale_requests_total", "/v1/events", "POST", "2xx") == 1
    assert telemetry.value("longtale_requests_total", "/v1/events", "POST", "4xx") == 1
    assert telemetry.value("longtale_request_seconds_sum", "/v1/events") == pytest.approx(0.04)


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_turned_away_does_not_make_answers_look_fast(telemetry, status):
    telemetry.answered(route="/v1/events", method="POST", status=status, seconds=0.0001)
    assert telemetry.value("longtale_request_seconds_count", "/v1/events") is None
    assert telemetry.value("longtale_requests_total", "/v1/events", "POST", f"{status // 100}xx")


@pytest.mark.parametrize("name", ["in_flight", "waiting"])
def test_requests_under_way_are_counted_until_they_end_even_by_an_error(telemetry, name):
    gauge = f"longtale_requests_{name}"
    with contextlib.suppress(KeyError), getattr(telemetry, name)():
        assert telemetry.value(gauge) == 1
        raise KeyError
    assert telemetry.value(gauge) == 0


def test_a_slate_counts_bands_stages_and_what_was_stood_in_for(telemetry):
    busy(telemetry)
    telemetry.slate_served(items=["c"], bands=["tail"])
    assert telemetry.value("longtale_slates_total") == 2
    assert telemetry.value("longtale_slates_degraded_total") == 1
    assert telemetry.value("longtale_degraded_parts_total", "ease") == 1
    assert telemetry.value("longtale_slate_items_total", "tail") == 2
    assert telemetry.value("longtale_slate_items_total", "new") == 0
    assert telemetry.value("longtale_stage_seconds_sum", "blend") == pytest.approx(0.002)


def test_coverage_is_the_share_of_the_catalogue_shown_within_the_window(telemetry, clock):
    telemetry.sizes(items=8, users=0)
    telemetry.slate_served(items=["a", "b"], bands=["head", "head"])
    clock.now += 1800
    telemetry.slate_served(items=["b", "c"], bands=["head", "head"])
    assert telemetry.value("longtale_slate_coverage_ratio") == 3 / 8
    clock.now += 1900
    assert telemetry.value("longtale_slate_coverage_ratio") == 2 / 8


def test_events_are_counted_by_kind_and_outcome(telemetry):
    busy(telemetry)
    outcomes = {"accepted": 3, "duplicate": 2, "rejected": 1}
    for outcome, n in outcomes.items():
        assert telemetry.value("longtale_events_total", "view", outcome) == n


def test_lag_is_the_age_of_the_oldest_event_that_is_not_applied(telemetry, clock):
    telemetry.acknowledged(3)
    clock.now += 2
    telemetry.acknowledged(5)
    clock.now += 1
    assert telemetry.value("longtale_event_lag_seconds") == 3
    telemetry.applied(4)
    assert telemetry.value("longtale_event_lag_seconds") == 1
    telemetry.applied(5)
    assert telemetry.value("longtale_event_lag_seconds") == 0
    assert telemetry.value("longtale_applied_seq") == 5


def test_one_model_is_in_use(telemetry):
    telemetry.model_in_use("m1", trained_at=1_000_000)
    telemetry.model_in_use("m2", trained_at=2_000_000)
    assert telemetry.value("longtale_model_info", "m1") == 0
    assert telemetry.value("longtale_model_info", "m2") == 1
    assert telemetry.value("longtale_model_trained_timestamp_seconds") == 2


def test_a_store_is_up_or_down_and_unknown_until_it_was_asked(telemetry):
    assert telemetry.value("longtale_store_up", "events") is None
    telemetry.store_is(up=False, store="events")
    assert telemetry.value("longtale_store_up", "events") == 0
    telemetry.store_is(up=True, store="events")
    assert telemetry.value("longtale_store_up", "events") == 1


def test_labels_hold_few_values_whatever_is_sent(telemetry):
    for n in range(500):
        telemetry.answered(route=f"/u/{n}", method=f"M{n}", status=200, seconds=0.001)
        telemetry.turned_away(f"r{n}")
        telemetry.events_taken(kind=f"k{n}", accepted=1)
        telemetry.slate_served(items=[f"i{n}"], bands=[f"b{n}"], degraded=[f"p{n}"])
        telemetry.stage_took(f"s{n}", 0.001)
    found = scraped(telemetry)
    assert len(found["longtale_requests_total"]) == 97
    assert telemetry.value("longtale_requests_total", "/u/0", "other", "2xx") == 1
    assert found["longtale_requests_turned_away_total"]["other",] == 500 - 16
    assert found["longtale_slate_items_total"]["other",] == 500
    assert sum(len(lines) for lines in found.values()) < 3000


def test_no_id_stands_in_what_is_scraped(telemetry):
    telemetry.slate_served(items=["item-4711"], bands=["head"])
    assert b"4711" not in telemetry.exposition()[0]


def test_two_objects_share_nothing(telemetry):
    other = Telemetry()
    telemetry.turned_away("full")
    assert telemetry.value("longtale_requests_turned_away_total", "full") == 1
    assert other.value("longtale_requests_turned_away_total", "full") is None


def test_threads_lose_no_count(telemetry):
    def work() -> None:
        for n in range(300):
            telemetry.turned_away("full")
            telemetry.slate_served(items=[str(n)], bands=["head"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    telemetry.sizes(items=600, users=0)
    assert telemetry.value("longtale_slates_total") == 1200
    assert telemetry.value("longtale_slate_coverage_ratio") == 0.5


def test_times_of_creation_are_left_out(telemetry):
    busy(telemetry)
    assert b"_created" not in telemetry.exposition()[0]


def test_its_absence_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'longtale\[serve\]'"):
        Telemetry()


def test_a_folder_of_workers_that_comes_too_late_is_refused():
    with shared_metrics(), pytest.raises(SettingsError, match="before, or start the worker as a"):
        Telemetry()


WORKER = """
import sys
from longtale.monitor.telemetry import Telemetry
telemetry = Telemetry()
telemetry.turned_away("full")
telemetry.applied(int(sys.argv[1]))
telemetry.sizes(items=10, users=int(sys.argv[1]))
with telemetry.in_flight():
    text, _ = telemetry.exposition()
sys.stdout.buffer.write(text)
"""


def test_one_of_several_workers_answers_for_all():
    with shared_metrics() as folder:
        for seq in (9, 5):
            ran = subprocess.run(
                [sys.executable, "-W", "error", "-c", WORKER, str(seq)],
                capture_output=True,
                text=True,
                check=True,
            )
        assert list(folder.iterdir())
    lines = ran.stdout.splitlines()
    assert 'longtale_requests_turned_away_total{reason="full"} 2.0' in lines
    assert "longtale_requests_in_flight 1.0" in lines
    assert "longtale_applied_seq 5.0" in lines
    assert "longtale_users 5.0" in lines
    assert not folder.exists()


def test_a_worker_that_ended_is_no_longer_waited_for():
    ended = """
import os, sys
from longtale.monitor.workers import worker_ended
worker_ended(sys.argv[2], int(sys.argv[3]))
"""
    with shared_metrics() as folder:
        for seq in (3, 8):
            ran = subprocess.run(
                [sys.executable, "-c", WORKER, str(seq)], capture_output=True, text=True, check=True
            )
            if seq == 3:
                assert "longtale_applied_seq 3.0" in ran.stdout
                (pid,) = {path.stem.rpartition("_")[2] for path in folder.iterdir()}
                subprocess.run([sys.executable, "-c", ended, "", folder, pid], check=True)
    assert "longtale_applied_seq 8.0" in ran.stdout
    assert 'longtale_requests_turned_away_total{reason="full"} 2.0' in ran.stdout


def test_the_folder_of_workers_leaves_the_environment_as_it_was(monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, "/elsewhere")
    with shared_metrics() as folder:
        assert str(folder) != "/elsewhere"
    assert os.environ[FOLDER_VARIABLE] == "/elsewhere"


def test_every_metric_is_named_as_the_house_does():
    for metric in METRICS:
        assert metric.name.startswith("longtale_")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
