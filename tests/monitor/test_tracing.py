from __future__ import annotations

import subprocess
import sys

import pytest

from longtale.errors import MissingExtraError
from longtale.monitor.tracing import Tracing

sdk = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def kept():
    return sdk.InMemorySpanExporter()


@pytest.fixture
def tracing(kept):
    made = Tracing.through(kept)
    yield made
    made.close()


def spans_of(tracing, kept):
    tracing.close()
    return {span.name: span for span in kept.get_finished_spans()}


def test_a_request_is_a_span_and_its_stages_are_within(tracing, kept):
    with tracing.request(route="/v1/recommend/{user}", method="GET") as traced:
        with tracing.stage("blend"):
            pass
        traced.answered(200, stages={"rank": 1.5}, degraded=["ease"])
    spans = spans_of(tracing, kept)
    request, stage = spans["GET /v1/recommend/{user}"], spans["blend"]
    assert stage.parent.span_id == request.context.span_id
    assert request.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/recommend/{user}",
        "http.response.status_code": 200,
        "longtale.stage.rank_ms": 1.5,
        "longtale.degraded": ("ease",),
    }
    assert request.resource.attributes["service.name"] == "longtale"
    assert request.status.is_ok


def test_a_request_joins_the_trace_of_its_caller(tracing, kept):
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    with tracing.request(route="/", method="GET", headers=headers):
        pass
    span = spans_of(tracing, kept)["GET /"]
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == "00f067aa0ba902b7"


def test_a_caller_that_does_not_sample_is_followed(tracing, kept):
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"}
    with tracing.request(route="/", method="GET", headers=headers):
        pass
    assert not spans_of(tracing, kept)


def test_an_error_is_told_by_class_and_never_by_message(tracing, kept):
    with pytest.raises(ValueError, match="ann@example"):
        fail_within(tracing)
    for span in spans_of(tracing, kept).values():
        assert span.attributes["error.type"] == "ValueError"
        assert not span.status.is_ok
        assert "ann@example" not in span.to_json()
        assert not span.events


def fail_within(tracing):
    with tracing.request(route="/", method="GET"), tracing.stage("blend"):
        raise ValueError("ann@example.org")


@pytest.mark.parametrize("status, is_ok", [(200, True), (422, True), (503, False)])
def test_a_span_fails_where_the_service_is_to_blame(tracing, kept, status, is_ok):
    with tracing.request(route="/", method="GET") as traced:
        traced.answered(status)
    assert spans_of(tracing, kept)["GET /"].status.is_ok is is_ok


def test_nothing_is_loaded_where_tracing_is_off():
    code = """
import sys
from longtale.monitor.tracing import Tracing
tracing = Tracing.to("")
with tracing.request(route="/", method="GET", headers={}) as traced, tracing.stage("blend"):
    traced.answered(500, stages={"rank": 1.0}, degraded=["x"])
tracing.close()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://127.0.0.1:9/v1/traces"])
def test_an_address_gets_the_path_of_the_protocol_once(address, monkeypatch):
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    made = []

    def remembered(endpoint):
        made.append(endpoint)
        return sdk.InMemorySpanExporter()

    monkeypatch.setattr(exporter, "OTLPSpanExporter", remembered)
    Tracing.to(address).close()
    assert made == ["http://127.0.0.1:9/v1/traces"]


def test_its_absence_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'longtale\[tracing\]'"):
        Tracing.to("http://127.0.0.1:9")
