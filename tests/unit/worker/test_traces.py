"""Traces: linked to the producer's, one span for an attempt and one for each call, and nothing personal in them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from arq.connections import ArqRedis
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from jobs import answers
from jobs.errors import ConfigurationError
from jobs.outcomes import AttemptResult, Retry
from schemas.contract.event import ErrorDetail
from tests.fakes import FakeFactus
from tests.records import a_job
from tests.service_in_process import running, services_on
from worker.traces import OFF, SpanTraces, open_traces

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def spans_of(
    redis: ArqRedis, namespace: str, *, factus: FakeFactus, traceparent: str = PARENT
) -> list[ReadableSpan]:
    """What one bill leaves behind."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    built = services_on(redis, namespace, gateway=factus, traces=SpanTraces(provider, namespace=namespace))
    async with running(built) as rig:
        await rig.push_bill("REF-SECRET", traceparent=traceparent)
        await rig.events(1)
        await rig.rest()
    return list(exporter.get_finished_spans())


async def test_an_attempt_is_a_root_that_links_to_the_producer_and_has_its_calls_below(
    fake_redis: ArqRedis, namespace: str
) -> None:
    call, attempt = await spans_of(fake_redis, namespace, factus=FakeFactus())
    assert (attempt.name, attempt.kind, attempt.parent) == (f"process {namespace}:jobs", SpanKind.CONSUMER, None)
    (link,) = attempt.links
    assert f"{link.context.trace_id:032x}-{link.context.span_id:016x}" == PARENT[3:52]
    assert (call.name, call.kind) == ("factus create", SpanKind.CLIENT)
    assert call.parent is not None
    assert attempt.context is not None
    assert call.parent.span_id == attempt.context.span_id
    assert dict(attempt.attributes or {}) == {
        "messaging.system": "redis",
        "messaging.destination.name": f"{namespace}:jobs",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "factus.job.type": "invoice.issue",
        "factus.outcome": "validated",
        "factus.job.attempts": 1,
    }
    assert attempt.status.status_code is StatusCode.UNSET


async def test_nothing_of_the_document_or_its_people_stands_in_a_span(fake_redis: ArqRedis, namespace: str) -> None:
    spans = await spans_of(fake_redis, namespace, factus=FakeFactus())
    text = " ".join(span.to_json() for span in spans)
    for word in ("REF-SECRET", "acme", "SETP", "@", "identification"):
        assert word not in text


async def test_each_attempt_is_a_trace_and_says_what_failed(fake_redis: ArqRedis, namespace: str) -> None:
    factus = FakeFactus(script=[answers.NotSent("connection")])
    spans = await spans_of(fake_redis, namespace, factus=factus)
    attempts = [span for span in spans if span.kind is SpanKind.CONSUMER]
    assert len({span.context.trace_id for span in attempts if span.context}) == len(attempts) >= 2
    first, last = attempts[0], attempts[-1]
    assert all(len(span.links) == 1 for span in attempts)
    assert first.attributes
    assert first.attributes["factus.outcome"] == "again"
    assert first.attributes["error.type"] == "factus.unavailable"
    assert first.status.status_code is StatusCode.ERROR
    assert last.attributes
    assert last.attributes["factus.outcome"] == "validated"


@pytest.mark.parametrize(
    ("progress", "is_failure", "outcome", "error"),
    [
        (None, True, "again", "factus.unavailable"),
        (None, False, "again", "factus.unavailable"),
        ("{}", True, "again", "factus.unavailable"),
        ("{}", False, "goes_on", None),
    ],
)
def test_a_step_forward_is_no_error(progress: str | None, is_failure: bool, outcome: str, error: str | None) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    reason = ErrorDetail(code="factus.unavailable", message="x")
    ending = Retry("job", 1.0, reason, progress=progress, is_failure=is_failure)
    with SpanTraces(provider, namespace="n").attempt(a_job()) as ended:
        ended(AttemptResult(ending, 1), 1)
    (span,) = exporter.get_finished_spans()
    assert span.attributes
    assert (span.attributes["factus.outcome"], span.attributes.get("error.type")) == (outcome, error)
    assert span.status.status_code is (StatusCode.ERROR if error else StatusCode.UNSET)


@pytest.mark.parametrize("traceparent", ["", "x", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_a_traceparent_that_is_none_links_to_nothing(traceparent: str) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with pytest.raises(ZeroDivisionError), SpanTraces(provider, namespace="n").attempt(a_job(traceparent=traceparent)):
        raise ZeroDivisionError("Ana Gómez")
    (span,) = exporter.get_finished_spans()
    assert not span.links
    assert span.attributes
    assert span.attributes["error.type"] == "ZeroDivisionError"
    assert "Gómez" not in span.to_json()


def test_without_the_setting_nothing_of_opentelemetry_is_loaded() -> None:
    code = "import sys, worker.process; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_without_the_extra_the_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigurationError, match=r"factus-worker\[otel\]"):
        open_traces(namespace="n")
    await OFF.close()
