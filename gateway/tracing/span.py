"""A finished span, by the names of OpenTelemetry's conventions, without its library.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from typing import Literal, TypeAlias

import msgspec

Attributes: TypeAlias = dict[str, str | int]
SpanRole: TypeAlias = Literal["server", "client"]


class SpanEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that happened within a span. `at_ns` is Unix time in nanoseconds."""

    name: str
    at_ns: int
    attributes: Attributes


class Span(msgspec.Struct, frozen=True):
    """One operation: the request of a client (`server`), or the call to a service (`client`).

    Ids are lower-case hexadecimal digits, `parent_id` is "" for the root of a trace. `flags` are those of the trace,
    `trace_state` the field as the client sent it, or "". Times are Unix times in nanoseconds. `failed` makes its status
    an error; otherwise it is unset.
    """

    name: str
    kind: SpanRole
    trace_id: str
    span_id: str
    parent_id: str
    flags: int
    trace_state: str
    started_ns: int
    ended_ns: int
    attributes: Attributes
    events: tuple[SpanEvent, ...]
    failed: bool
