"""What the service counts and times, for Prometheus to collect."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Literal

from longtale.monitor.coverage import ShownItems
from longtale.monitor.lag import Lag
from longtale.monitor.series import Series

_MICROSECONDS = 1_000_000
_TURNED_AWAY = (429, 503)
"""Answers that took no time, since nothing was done: they make a flooded service look fast."""


class Telemetry:
    """The metrics of one process, each under a verb that says what happened.

    Nothing is shared between two objects, but where `shared_metrics` opened a folder for several
    workers: then each answers for all. Threads may share one object. The names are in
    `monitor.metrics`, the words for them in `docs/monitoring.md`.

    Args:
        window_s: how long an item counts as shown, seconds.
        clock: gives seconds that never go back.

    Raises:
        MissingExtraError: prometheus_client is not installed.
        SettingsError: a folder for several workers was opened after prometheus_client was loaded.

    Example:
        >>> telemetry = Telemetry()
        >>> telemetry.answered(route="/v1/search", method="GET", status=200, seconds=0.004)
        >>> telemetry.value("longtale_requests_total", "/v1/search", "GET", "2xx")
        1.0
    """

    def __init__(
        self, *, window_s: float = 3600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._series = Series()
        self._shown = ShownItems(window_s, clock=clock)
        self._lag = Lag(clock=clock)
        self._n_items = 0
        self._version: str | None = None
        self._series.gauge("longtale_build_info", version("longtale")).set(1)

    def answered(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request and its time, from its arrival on.

        Args:
            route: the path as it is declared, with `{user}` in place of the user.
            method: of HTTP.
            status: of the answer.
            seconds: that it took.
        """
        series = self._series
        series.counter("longtale_requests_total", route, method, f"{status // 100}xx").inc()
        if status not in _TURNED_AWAY:
            series.histogram("longtale_request_seconds", route).observe(seconds)

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request as worked on while this is open."""
        with self._series.gauge("longtale_requests_in_flight").track_inprogress():
            yield

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a request as waiting for its place while this is open."""
        with self._series.gauge("longtale_requests_waiting").track_inprogress():
            yield

    def turned_away(self, reason: str) -> None:
        """Count a request that was not let in: full, busy, late, stopping, rate."""
        self._series.counter("longtale_requests_turned_away_total", reason).inc()

    def slate_served(
        self,
        *,
        items: Sequence[str],
        bands: Iterable[str],
        degraded: Iterable[str] = (),
        stages: Mapping[str, float] | None = None,
    ) -> None:
        """Count a slate.

        Args:
            items: ids in it; they are counted and never named.
            bands: how known each of them is.
            degraded: parts that were stood in for.
            stages: milliseconds that each stage took.
        """
        series = self._series
        series.counter("longtale_slates_total").inc()
        for band, n in Counter(bands).items():
            series.counter("longtale_slate_items_total", band).inc(n)
        parts = list(degraded)
        if parts:
            series.counter("longtale_slates_degraded_total").inc()
        for part in parts:
            series.counter("longtale_degraded_parts_total", part).inc()
        for stage, ms in ({} if stages is None else stages).items():
            self.stage_took(stage, ms / 1000)
        self._shown.show(items)

    def stage_took(self, stage: str, seconds: float) -> None:
        """Time one stage of an answer."""
        self._series.histogram("longtale_stage_seconds", stage).observe(seconds)

    def slates_dropped(self, n: int = 1) -> None:
        """Count slates that were served and could not be kept."""
        self._series.counter("longtale_slates_dropped_total").inc(n)

    def events_taken(
        self, *, kind: str, accepted: int = 0, duplicate: int = 0, rejected: int = 0
    ) -> None:
        """Count events of a kind by what became of them; a kind nobody knows is `other`."""
        counts = {"accepted": accepted, "duplicate": duplicate, "rejected": rejected}
        for outcome, n in counts.items():
            if n:
                self._series.counter("longtale_events_total", kind, outcome).inc(n)

    def acknowledged(self, seq: int) -> None:
        """Note the number of the last record of the log."""
        self._lag.acknowledge(seq)
        self.refresh()

    def applied(self, seq: int) -> None:
        """Note the number of the last record that answers know."""
        self._lag.apply(seq)
        self.refresh()

    def refreshed(self, work: Literal["learn", "catalog"], *, seconds: float) -> None:
        """Time a refresh that succeeded."""
        self._series.histogram("longtale_refresh_seconds", work).observe(seconds)
        self._series.gauge("longtale_refresh_last_success_timestamp_seconds", work).set(time.time())

    def refresh_failed(self, work: Literal["learn", "catalog"]) -> None:
        """Count a refresh that failed."""
        self._series.counter("longtale_refresh_failures_total", work).inc()

    def model_in_use(self, version: str, *, trained_at: int) -> None:
        """Say which model answers from now on.

        Args:
            version: of the bundle.
            trained_at: when it was trained, microseconds UTC.
        """
        if self._version is not None:
            self._series.gauge("longtale_model_info", self._version).set(0)
        self._version = version
        self._series.gauge("longtale_model_info", version).set(1)
        self._series.gauge("longtale_model_trained_timestamp_seconds").set(
            trained_at / _MICROSECONDS
        )

    def model_swapped(self, outcome: Literal["promoted", "rolled_back", "refused"]) -> None:
        """Count a change of the model in use, or a bundle that was refused."""
        self._series.counter("longtale_model_swaps_total", outcome).inc()

    def store_is(self, *, up: bool, store: Literal["events", "sessions"] = "events") -> None:
        """Say whether a store can be reached and written."""
        self._series.gauge("longtale_store_up", store).set(float(up))

    def sizes(self, *, items: int, users: int) -> None:
        """Say how many items the catalogue has, and how many users are known."""
        self._n_items = items
        self._series.gauge("longtale_items").set(items)
        self._series.gauge("longtale_users").set(users)
        self.refresh()

    def refresh(self) -> None:
        """Bring up to date what changes with time alone: lag and coverage.

        A scrape does it for the process that answers it; each of several workers does it about
        once a second.
        """
        series = self._series
        series.gauge("longtale_event_lag_seconds").set(self._lag.seconds())
        series.gauge("longtale_acknowledged_seq").set(self._lag.acknowledged)
        series.gauge("longtale_applied_seq").set(self._lag.applied)
        if self._n_items:
            share = min(1.0, len(self._shown) / self._n_items)
            series.gauge("longtale_slate_coverage_ratio").set(share)

    def value(self, name: str, *labels: str) -> float | None:
        """Give what this process counted under a name; None where nothing was.

        Args:
            name: of the metric; of a histogram with its suffix.
            labels: values, in the order of `monitor.metrics`.
        """
        self.refresh()
        return self._series.value(name, labels)

    def exposition(self) -> tuple[bytes, str]:
        """Give all metrics in the text format, and its media type."""
        self.refresh()
        return self._series.exposition()
