"""Every metric of the service, declared once: name, what it counts, labels and buckets.

Names follow Prometheus: prefix `longtale_`, base units, `_total` for what only grows. A label holds
one of few values, never an id. Whoever sends other words than the ones foreseen cannot make more
than `most` values of a label: those beyond are counted as `other`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from longtale.schema import Band

OTHER = "other"
"""The value of a label that stands for all that were too many or not foreseen."""


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Label:
    """What a label may hold.

    Args:
        name: of the label.
        values: the only ones allowed; empty where the first to come are taken.
        most: how many are told apart where none are given.
    """

    name: str
    values: tuple[str, ...] = ()
    most: int = 32


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: as it is scraped, without the suffixes of a histogram.
        kind: counter, gauge or histogram.
        help: what it says.
        labels: what it is told apart by.
        buckets: upper bounds of a histogram, seconds.
        over_workers: how a gauge of several processes becomes one number.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    over_workers: Literal["livesum", "livemax", "livemin", "livemostrecent"] = "livemax"


ROUTE = Label("route", most=96)
METHOD = Label("method", ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
STATUS = Label("status", ("1xx", "2xx", "3xx", "4xx", "5xx"))
STAGE = Label("stage")
PART = Label("part")
REASON = Label("reason", most=16)
EVENT_KIND = Label("kind")
OUTCOME = Label("outcome", ("accepted", "duplicate", "rejected"))
BAND = Label("band", tuple(Band))
STORE = Label("store", ("events", "sessions"))
WORK = Label("work", ("learn", "catalog"))
SWAP = Label("outcome", ("promoted", "rolled_back", "refused"))
VERSION = Label("version", most=256)

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""From an answer without any model to one that nobody waits for; the promises, 10, 50 and 250 ms,
are bounds of their own, so that the share within them is exact."""
STAGE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
WORK_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

METRICS: tuple[Metric, ...] = (
    Metric(
        "longtale_requests_total",
        _COUNTER,
        "Answered requests, those that were turned away too.",
        (ROUTE, METHOD, STATUS),
    ),
    Metric(
        "longtale_request_seconds",
        _HISTOGRAM,
        "Time from a request's arrival to its answer; without those turned away (429, 503).",
        (ROUTE,),
        REQUEST_SECONDS,
    ),
    Metric(
        "longtale_stage_seconds",
        _HISTOGRAM,
        "Time that each stage of making an answer took.",
        (STAGE,),
        STAGE_SECONDS,
    ),
    Metric(
        "longtale_requests_in_flight",
        _GAUGE,
        "Requests that are worked on.",
        over_workers="livesum",
    ),
    Metric(
        "longtale_requests_waiting",
        _GAUGE,
        "Requests that wait for a place.",
        over_workers="livesum",
    ),
    Metric(
        "longtale_requests_turned_away_total",
        _COUNTER,
        "Requests that were not let in, by reason.",
        (REASON,),
    ),
    Metric("longtale_slates_total", _COUNTER, "Slates that were served."),
    Metric(
        "longtale_slates_degraded_total",
        _COUNTER,
        "Slates in which at least one part was stood in for.",
    ),
    Metric(
        "longtale_degraded_parts_total",
        _COUNTER,
        "How often each part failed and was stood in for.",
        (PART,),
    ),
    Metric("longtale_slates_dropped_total", _COUNTER, "Slates that were served and not kept."),
    Metric(
        "longtale_slate_items_total",
        _COUNTER,
        "Items in served slates, by how known they are.",
        (BAND,),
    ),
    Metric(
        "longtale_slate_coverage_ratio",
        _GAUGE,
        "Share of the catalogue that was in some slate during the last hour.",
    ),
    Metric(
        "longtale_events_total",
        _COUNTER,
        "Events that were sent, by kind and by what became of them.",
        (EVENT_KIND, OUTCOME),
    ),
    Metric(
        "longtale_event_lag_seconds",
        _GAUGE,
        "Age of the oldest acknowledged event that answers do not know yet; 0 where there is none.",
    ),
    Metric(
        "longtale_acknowledged_seq",
        _GAUGE,
        "Number of the last record that was acknowledged.",
    ),
    Metric(
        "longtale_applied_seq",
        _GAUGE,
        "Number of the last record that answers know.",
        over_workers="livemin",
    ),
    Metric(
        "longtale_refresh_seconds",
        _HISTOGRAM,
        "Time to learn from what happened, and to take in new and changed items.",
        (WORK,),
        WORK_SECONDS,
    ),
    Metric(
        "longtale_refresh_failures_total",
        _COUNTER,
        "Refreshes that failed; what was known before stays in use.",
        (WORK,),
    ),
    Metric(
        "longtale_refresh_last_success_timestamp_seconds",
        _GAUGE,
        "When a refresh last succeeded, seconds since 1970.",
        (WORK,),
        over_workers="livemin",
    ),
    Metric(
        "longtale_model_info",
        _GAUGE,
        "1 for the model in use, 0 for one that was.",
        (VERSION,),
    ),
    Metric(
        "longtale_model_trained_timestamp_seconds",
        _GAUGE,
        "When the model in use was trained, seconds since 1970.",
        over_workers="livemin",
    ),
    Metric(
        "longtale_model_swaps_total",
        _COUNTER,
        "Changes of the model in use, and bundles that were refused.",
        (SWAP,),
    ),
    Metric(
        "longtale_store_up",
        _GAUGE,
        "1 where a store can be reached and written, else 0.",
        (STORE,),
        over_workers="livemin",
    ),
    Metric("longtale_items", _GAUGE, "Items of the catalogue.", over_workers="livemostrecent"),
    Metric("longtale_users", _GAUGE, "Users that are known.", over_workers="livemostrecent"),
    Metric("longtale_build_info", _GAUGE, "1, with the version of Longtale.", (VERSION,)),
)
