"""
Traces, where they are switched on (``FACTUS_TRACES``, the extra ``otel``): a span for each attempt, and one below it
for each call.

An attempt is a trace of its own and links to the producer's ``traceparent``: a document may live for hours, and have
many attempts, long after the producer's span has ended. Nothing in a span names a person, a document or an account.
Nothing of OpenTelemetry is imported before it is asked for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jobs.answers import Answer
from jobs.errors import ConfigurationError
from jobs.factus_requests import Request
from jobs.outcomes import AttemptResult, Finished, Retry
from jobs.ports import Gateway
from schemas.contract.event import ErrorDetail
from schemas.records import JobRecord
from worker.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, Span, Tracer

_NAME: Final = "factus-worker"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

Ended = Callable[[AttemptResult, int], None]
"""Told what an attempt has come to, and how many attempts the job has had."""


class Traces:
    """Switched off: nothing is noted."""

    def attempt(self, job: JobRecord) -> AbstractContextManager[Ended]:
        """Around one attempt; what came of it is told to what the block is given."""
        return nullcontext(_nothing)

    def gateway(self, gateway: Gateway) -> Gateway:
        """Factus, with its calls noted below the attempt that makes them."""
        return gateway

    async def close(self) -> None:
        """Send what is left."""


OFF: Final = Traces()


def open_traces(*, namespace: str) -> Traces:
    """
    Traces to where OpenTelemetry's own variables say (``OTEL_EXPORTER_OTLP_ENDPOINT``), by OTLP over HTTP.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as exc:
        raise ConfigurationError("FACTUS_TRACES needs the extra: pip install 'factus-worker[otel]'") from exc
    resource = Resource.create({"service.version": VERSION})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: _NAME}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return SpanTraces(provider, namespace=namespace)


class SpanTraces(Traces):
    """Switched on."""

    def __init__(self, provider: TracerProvider, *, namespace: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(_NAME, VERSION)
        self._stream = f"{namespace}:jobs"

    @contextmanager
    def attempt(self, job: JobRecord) -> Iterator[Ended]:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        attributes = {
            "messaging.system": "redis",
            "messaging.destination.name": self._stream,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "factus.job.type": job.type,
        }
        with self._tracer.start_as_current_span(
            f"process {self._stream}",
            Context(),  # a root
            SpanKind.CONSUMER,
            attributes,
            _links(job.traceparent),
            record_exception=False,  # its words may quote Factus
            set_status_on_exception=False,
        ) as span:
            try:
                yield lambda attempted, attempts: _note_end(span, attempted, attempts)
            except BaseException as exc:
                _failed(span, type(exc).__name__)
                raise

    def gateway(self, gateway: Gateway) -> Gateway:
        return _TracedGateway(gateway, self._tracer)

    async def close(self) -> None:
        await asyncio.to_thread(self._provider.shutdown)


@dataclass(frozen=True, slots=True)
class _TracedGateway:
    gateway: Gateway
    tracer: Tracer

    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        with self._called("create") as answered:
            return answered(await self.gateway.create(job, latest_ms=latest_ms))

    async def find(self, family: str, reference_code: str) -> Answer:
        with self._called("find") as answered:
            return answered(await self.gateway.find(family, reference_code))

    async def find_unvalidated(self, family: str) -> Answer:
        with self._called("find_unvalidated") as answered:
            return answered(await self.gateway.find_unvalidated(family))

    async def delete(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> Answer:
        with self._called("delete") as answered:
            return answered(await self.gateway.delete(job, reference_code, settle_ms=settle_ms))

    async def call(self, request: Request, *, marks: JobRecord | None = None) -> Answer:
        with self._called("call") as answered:
            return answered(await self.gateway.call(request, marks=marks))

    @contextmanager
    def _called(self, operation: str) -> Iterator[Callable[[Answer], Answer]]:
        from opentelemetry.trace import SpanKind

        with self.tracer.start_as_current_span(
            f"factus {operation}",
            kind=SpanKind.CLIENT,
            attributes={"factus.operation": operation},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            def answered(answer: Answer) -> Answer:
                span.set_attribute("factus.answer", type(answer).__name__)
                return answer

            try:
                yield answered
            except BaseException as exc:
                _failed(span, type(exc).__name__)
                raise


def _nothing(_attempted: AttemptResult, _attempts: int) -> None:
    return None


def _note_end(span: Span, attempted: AttemptResult, attempts: int) -> None:
    ending = attempted.ending
    outcome: str
    error: ErrorDetail | None
    match ending:
        case Finished():
            outcome, error = ending.state, ending.errors[0] if ending.errors else None
        case Retry() if ending.goes_on:
            outcome, error = "goes_on", None  # its reason is told only if time runs out before the next step
        case Retry():
            outcome, error = "again", ending.reason
    span.set_attribute("factus.outcome", outcome)
    span.set_attribute("factus.job.attempts", attempts)
    if error:
        _failed(span, error.code)


def _failed(span: Span, what: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", what)
    span.set_status(Status(StatusCode.ERROR))


def _links(traceparent: str) -> list[Link]:
    from opentelemetry.trace import Link, SpanContext, TraceFlags

    found = _TRACEPARENT.fullmatch(traceparent)
    if not found:
        return []
    trace, parent, flags = (int(part, 16) for part in found.groups())
    context: Any = SpanContext(trace, parent, is_remote=True, trace_flags=TraceFlags(flags))
    return [Link(context)] if context.is_valid else []
