"""A span of a call, and what of it can be changed."""

from typing import Any

from gateway.tracing.span import Span, SpanEvent


def span(**changes: Any) -> Span:
    ordinary: dict[str, Any] = {
        "name": "GET",
        "kind": "client",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "parent_id": "c" * 16,
        "flags": 1,
        "trace_state": "",
        "started_ns": 1_000,
        "ended_ns": 2_000,
        "attributes": {"server.address": "10.0.0.1", "server.port": 80},
        "events": (SpanEvent("gateway.retry", 1_500, {"gateway.retry.reason": "500"}),),
        "failed": False,
    }
    return Span(**(ordinary | changes))
