"""Where spans come from: OpenTelemetry's SDK, as its own variables set it up. Imported only where they ask for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

logging.getLogger("opentelemetry").addHandler(logging.NullHandler())  # what failed is said in one line by `deliver`

NAME = "failover-drill"


class Exporter(OTLPSpanExporter):
    """OTLP over HTTP, configured by OTEL_EXPORTER_OTLP_…; it remembers whether anything was lost."""

    failed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        found = super().export(spans)
        self.failed = self.failed or found is not SpanExportResult.SUCCESS
        return found


class Source:
    """The provider that `opentelemetry-instrument` or a host program has set, else one of our own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._exporter: Exporter | None = None
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):
            provider = self._own(environment)
        self._provider = provider
        self._tracer = provider.get_tracer(NAME, version(NAME))

    def _own(self, environment: Mapping[str, str]) -> TracerProvider:
        named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        resource = Resource.create({} if named else {"service.name": NAME})
        self._exporter = Exporter()
        provider = TracerProvider(
            resource=resource, shutdown_on_exit=False
        )  # `flush` is limited in time, an exit is not
        provider.add_span_processor(BatchSpanProcessor(self._exporter))
        return provider

    def begin(self, name: str, traceparent: str) -> tuple[Span, Callable[[], None]]:
        """Begin a span and make it the current one; returns it, and what ends its being current."""
        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent}) if traceparent else None
        span = self._tracer.start_span(name, context=parent)
        token = context.attach(trace.set_span_in_context(span))
        return span, lambda: context.detach(token)

    def inside(self) -> bool:
        """Is there a current span in this thread?"""
        return self.current().get_span_context().is_valid

    def current(self) -> Span:
        return trace.get_current_span()

    def mark_failed(self, span: Span, why: str) -> None:
        span.set_status(Status(StatusCode.ERROR, why))

    def flush(self) -> None:
        self._provider.force_flush()

    def failed(self) -> bool:
        return self._exporter is not None and self._exporter.failed
