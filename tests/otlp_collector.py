"""A collector of OpenTelemetry's: takes spans as OTLP/HTTP does, and keeps them."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TAKES_WITHIN_S = 20.0


class Collector:
    """Listens on a port of its own. `bodies` and `fields` are all that it was sent. It answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        self.fields: list[dict[str, str]] = []
        self._arrived = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with collector._arrived:
                    collector.bodies.append(body)
                    collector.fields.append({name.lower(): value for name, value in self.headers.items()})
                    collector._arrived.notify_all()
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1/traces"

    @property
    def spans(self) -> list[dict[str, Any]]:
        """All spans so far, in the order in which they came; ids in hexadecimal, attributes and events as mappings."""
        found = []
        for body in self.bodies:
            request = ExportTraceServiceRequest.FromString(body)
            for of_resource in request.resource_spans:
                resource = _mapping(of_resource.resource.attributes)
                for of_scope in of_resource.scope_spans:
                    found += [_span(span, resource) for span in of_scope.spans]
        return found

    def wait_for(self, spans: int) -> list[dict[str, Any]]:
        """Return all spans, as soon as there are so many. Raises AssertionError. Blocks."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.spans) >= spans, TAKES_WITHIN_S), self.spans
        return self.spans


def _span(span: Any, resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "resource": resource,
        "name": span.name,
        "kind": {2: "server", 3: "client"}[span.kind],
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex(),
        "trace_state": span.trace_state,
        "started_ns": span.start_time_unix_nano,
        "ended_ns": span.end_time_unix_nano,
        "failed": span.status.code == 2,
        "attributes": _mapping(span.attributes),
        "events": [(event.name, event.time_unix_nano, _mapping(event.attributes)) for event in span.events],
    }


def _mapping(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
