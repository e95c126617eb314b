"""The metrics as prometheus_client keeps them, with labels held to few values."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from longtale.errors import MissingExtraError, SettingsError
from longtale.monitor.metrics import METRICS, OTHER, Kind, Label, Metric
from longtale.monitor.workers import FOLDER_VARIABLE

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.metrics import MetricWrapperBase
    from prometheus_client.metrics_core import Metric as Family


class Series:
    """All metrics of `METRICS`, each found by its name and the values of its labels.

    What has a known set of label values begins at 0, so that a rate exists before the first count.

    Raises:
        MissingExtraError: prometheus_client is not installed.
        SettingsError: a folder for several workers was opened after prometheus_client was loaded.
    """

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, ProcessCollector
        except ImportError:
            raise MissingExtraError(
                "prometheus_client", extra="serve", purpose="counting what a service does"
            ) from None
        self._own = CollectorRegistry()
        if FOLDER_VARIABLE in os.environ:
            self._scraped = _of_all_workers()
        else:
            self._scraped = self._own
            ProcessCollector(registry=self._own)
        self._declared = {metric.name: metric for metric in METRICS}
        self._made = {metric.name: _made(metric, self._own) for metric in METRICS}
        self._seen: dict[tuple[str, str], set[str]] = {}
        for metric in METRICS:
            if metric.kind is not Kind.GAUGE and all(label.values for label in metric.labels):
                for values in itertools.product(*(label.values for label in metric.labels)):
                    self._child(metric.name, values)

    def counter(self, name: str, *labels: str) -> Counter:
        """Give a counter."""
        child: Counter = self._child(name, labels)
        return child

    def gauge(self, name: str, *labels: str) -> Gauge:
        """Give a gauge."""
        child: Gauge = self._child(name, labels)
        return child

    def histogram(self, name: str, *labels: str) -> Histogram:
        """Give a histogram."""
        child: Histogram = self._child(name, labels)
        return child

    def value(self, name: str, labels: tuple[str, ...]) -> float | None:
        """Give what this process has under a name; None where nothing was counted."""
        declared = self._declared.get(_family(name), self._declared.get(name))
        names = [] if declared is None else [label.name for label in declared.labels]
        return self._own.get_sample_value(name, dict(zip(names, labels, strict=True)))

    def exposition(self) -> tuple[bytes, str]:
        """Give all in the text format, and its media type."""
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        return generate_latest(self), CONTENT_TYPE_PLAIN_0_0_4

    def collect(self) -> Iterator[Family]:
        """Give what is scraped, without the times of creation, which double the number of lines."""
        for family in self._scraped.collect():
            family.samples = [
                sample for sample in family.samples if not sample.name.endswith("_created")
            ]
            yield family

    def _child(self, name: str, labels: tuple[str, ...]) -> Any:
        made = self._made[name]
        if not labels:
            return made
        declared = self._declared[name].labels
        held = (
            self._held(name, label, value) for label, value in zip(declared, labels, strict=True)
        )
        return made.labels(*held)

    def _held(self, name: str, label: Label, value: str) -> str:
        """Give the value where it is one of the few that are told apart, else `other`."""
        if label.values:
            return value if value in label.values else OTHER
        seen = self._seen.setdefault((name, label.name), set())
        if value not in seen:
            if len(seen) >= label.most:
                return OTHER
            seen.add(value)
        return value


def _family(name: str) -> str:
    for suffix in ("_bucket", "_sum", "_count"):
        name = name.removesuffix(suffix)
    return name


def _made(metric: Metric, registry: CollectorRegistry) -> MetricWrapperBase:
    from prometheus_client import Counter, Gauge, Histogram

    labels = [label.name for label in metric.labels]
    if metric.kind is Kind.COUNTER:
        return Counter(metric.name, metric.help, labels, registry=registry)
    if metric.kind is Kind.GAUGE:
        mode = metric.over_workers
        return Gauge(metric.name, metric.help, labels, registry=registry, multiprocess_mode=mode)
    return Histogram(metric.name, metric.help, labels, registry=registry, buckets=metric.buckets)


def _of_all_workers() -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, values
    from prometheus_client.multiprocess import MultiProcessCollector

    if not values.ValueClass._multiprocess:
        raise SettingsError(
            f"{FOLDER_VARIABLE} was set after prometheus_client was loaded, so this process cannot "
            "share its metrics; set it before, or start the worker as a new process"
        )
    registry = CollectorRegistry(support_collectors_without_names=True)
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
