"""Spans of OpenTelemetry, where somebody wants them; without them nothing of it is even loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from longtale.errors import MissingExtraError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

_PATH = "/v1/traces"
"""Where a collector takes traces over HTTP, OTLP specification 1.0."""


class Traced:
    """The span of one request; where tracing is off, it takes everything and keeps nothing."""

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    def answered(
        self,
        status: int,
        *,
        stages: Mapping[str, float] | None = None,
        degraded: Sequence[str] = (),
    ) -> None:
        """Say how it ended.

        Args:
            status: of HTTP.
            stages: milliseconds that each stage took.
            degraded: parts that were stood in for.
        """
        if self._span is None:
            return
        self._span.set_attribute("http.response.status_code", status)
        for name, ms in ({} if stages is None else stages).items():
            self._span.set_attribute(f"longtale.stage.{name}_ms", ms)
        if degraded:
            self._span.set_attribute("longtale.degraded", list(degraded))
        if status >= 500:
            _failed(self._span)


class Tracing:
    """Makes spans of requests and of the stages within them.

    A span says route, method, status, times and what was stood in for: no id, no path as it came,
    no message of an error. Which share is kept is told by OpenTelemetry's own variables
    (`OTEL_TRACES_SAMPLER`); a caller's decision in `traceparent` goes before it.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = (
            None if provider is None else provider.get_tracer("longtale", version("longtale"))
        )

    @classmethod
    def to(cls, address: str) -> Tracing:
        """Send spans to a collector, in batches and beside the work; to nobody where it is empty.

        Args:
            address: of the collector, OTLP over HTTP, such as `http://collector:4318`.

        Raises:
            MissingExtraError: OpenTelemetry is not installed.
        """
        if not address:
            return cls()
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            raise MissingExtraError(
                "opentelemetry-exporter-otlp-proto-http", extra="tracing", purpose="sending traces"
            ) from None
        place = address.rstrip("/")
        return cls.through(OTLPSpanExporter(place if place.endswith(_PATH) else place + _PATH))

    @classmethod
    def through(cls, exporter: SpanExporter) -> Tracing:
        """Hand spans to an exporter of OpenTelemetry."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        origin = Resource.create(
            {"service.name": "longtale", "service.version": version("longtale")}
        )
        provider = TracerProvider(resource=origin, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider)

    @contextmanager
    def request(
        self, *, route: str, method: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[Traced]:
        """Open the span of a request, as part of the caller's trace where it names one.

        Args:
            route: the path as it is declared, with `{user}` in place of the user.
            method: of HTTP.
            headers: of the request, names in lower case; only `traceparent` and `tracestate` count.
        """
        if self._tracer is None:
            yield Traced()
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        with (
            self._tracer.start_as_current_span(
                f"{method} {route}",
                context=TraceContextTextMapPropagator().extract(headers or {}),
                kind=SpanKind.SERVER,
                attributes={"http.request.method": method, "http.route": route},
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _error_noted(span),
        ):
            yield Traced(span)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Open the span of a stage, within that of its request."""
        if self._tracer is None:
            yield
            return
        with (
            self._tracer.start_as_current_span(
                name, record_exception=False, set_status_on_exception=False
            ) as span,
            _error_noted(span),
        ):
            yield

    def close(self) -> None:
        """Send what is left, and stop."""
        if self._provider is not None:
            self._provider.shutdown()


@contextmanager
def _error_noted(span: Span) -> Iterator[None]:
    """Note the class of an error that passes by."""
    try:
        yield
    except Exception as error:
        span.set_attribute("error.type", type(error).__name__)
        _failed(span)
        raise


def _failed(span: Span) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR))
