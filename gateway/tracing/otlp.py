"""Sends spans to a collector with OpenTelemetry's exporter.

It needs the extra `otel`, so it is imported only where spans are asked for.
"""

from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from gateway.tracing.span import Span

TIMEOUT_S = 5.0
"""For one batch, repetitions included."""
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}


class Collector:
    """Sends batches to `endpoint`. `headers` go with every batch. For one thread."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], service_name: str, version: str) -> None:
        self._exporter = OTLPSpanExporter(endpoint=endpoint, headers=headers, timeout=TIMEOUT_S)
        self._resource = Resource({"service.name": service_name, "service.version": version})
        self._scope = InstrumentationScope("gateway", version)

    def send(self, spans: list[Span]) -> bool:
        """Return whether the collector has taken `spans`."""
        return self._exporter.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS

    def _readable(self, span: Span) -> ReadableSpan:
        trace_id, flags = int(span.trace_id, 16), TraceFlags(span.flags)
        state = TraceState.from_header([span.trace_state]) if span.trace_state else None
        # A parent of the server's span is in another process, that of the client's span is the server's.
        remote = span.kind == "server"
        parent = SpanContext(trace_id, int(span.parent_id, 16), remote, flags, state) if span.parent_id else None
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace_id, int(span.span_id, 16), is_remote=False, trace_flags=flags, trace_state=state),
            parent=parent,
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(each.name, each.attributes, each.at_ns) for each in span.events],
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
            start_time=span.started_ns,
            end_time=span.ended_ns,
            instrumentation_scope=self._scope,
        )
