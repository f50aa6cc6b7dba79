"""Makes the spans of a finished exchange: one of the request (SERVER), and one of the call to the service (CLIENT).

The span of the call has the id that the service got in `traceparent`, so that the service's own spans hang below it.

Law: no span holds a key, a query or a header field of the client, `tracestate` apart. The path is shown as the access
line shows it.
"""

from collections.abc import Callable

from gateway.exchange import Exchange, ShowPath
from gateway.kernel.ids import Ids
from gateway.kernel.key_format import without_keys
from gateway.observe.instruments import KNOWN_METHODS
from gateway.observe.metrics import NO_ROUTE
from gateway.tracing.span import Attributes, Span, SpanEvent, SpanRole
from gateway.upstream.call import Call

_SAMPLED = frozenset("13")
"""The last digits of the flags of a sampled trace: `traceparent` as the gateway sends it has no flags above 3."""
_LONGEST_STATE = 512
"""https://www.w3.org/TR/trace-context/#tracestate-limits"""
_OTHER_METHOD = "_OTHER"


class SpanExport:
    """Makes spans and offers them to a queue, which says whether it has taken them.

    `wall` reads Unix time, in seconds. `ids` makes the ids of the spans of requests. `note` is given the route, the
    trace id, the duration and the end (Unix time) of each exchange whose spans were taken.
    """

    def __init__(
        self,
        offer: Callable[[tuple[Span, ...]], bool],
        wall: Callable[[], float],
        ids: Ids,
        note: Callable[[str, str, float, float], None],
    ) -> None:
        self._offer = offer
        self._note = note
        self._wall = wall
        self._ids = ids

    def __call__(self, x: Exchange, status: int, total_s: float, show_path: ShowPath) -> str | None:
        """Export the spans of `x` if its trace is sampled, or it has ended in an error.

        Return the id of the request's span; None if there is none, or the queue is full.
        """
        if x.traceparent[-1] not in _SAMPLED and status < 500 and x.outcome != "cut":
            return None
        ended_us = round(self._wall() * 1e6)
        began_us = ended_us - round(total_s * 1e6)
        maker = _Maker(x, self._ids.span(), began_us * 1000, ended_us * 1000, show_path(x))
        server = maker.server(status)
        spans = (server, maker.client(x.call)) if x.called and x.call is not None else (server,)
        if not self._offer(spans):
            return None
        self._note(NO_ROUTE if x.route is None else x.route.id, x.trace_id, total_s, ended_us / 1e6)
        return maker.span_id


class _Maker:
    """Makes the spans of one exchange, which has lasted from `began_ns` to `ended_ns` (Unix time)."""

    def __init__(self, x: Exchange, span_id: str, began_ns: int, ended_ns: int, path: str | None) -> None:
        self.span_id = span_id
        self._x = x
        self._began_ns = began_ns
        self._ended_ns = ended_ns
        self._path = path
        self._method = x.method if x.method in KNOWN_METHODS else _OTHER_METHOD
        header = x.headers.get("traceparent") or ""
        self._parent_id = header[36:52] if header[3:35] == x.trace_id else ""
        self._state = self._trace_state() if self._parent_id else ""

    def server(self, status: int) -> Span:
        """Return the span of the request, with the limiter's decision as an event."""
        x = self._x
        attributes: Attributes = {
            "http.request.method": self._method,
            "http.response.status_code": status,
            "url.scheme": x.scheme,
            "client.address": x.client,
            "gateway.request_id": x.request_id,
            "gateway.outcome": x.outcome,
        }
        name = "HTTP" if self._method == _OTHER_METHOD else self._method
        if self._path is not None:
            attributes["url.path"] = self._path
        if x.route is not None:
            route = f"{x.route.pattern.rstrip('/')}/**" if x.route.prefix else x.route.pattern
            attributes |= {"http.route": route, "gateway.route": x.route.id}
            name = f"{name} {route}"
        if x.caller is not None and x.caller.id:
            attributes["gateway.key_id"] = x.caller.id
        if x.caller is not None and x.caller.organization:
            attributes["gateway.organization"] = x.caller.organization
        failed = status >= 500 or x.outcome == "cut"
        if failed:
            attributes["error.type"] = str(status) if x.error is None else x.error.fault.name
        return self._span(
            name,
            "server",
            self.span_id,
            self._parent_id,
            (self._began_ns, self._ended_ns),
            attributes,
            self._limiter_events(),
            failed=failed,
        )

    def client(self, call: Call) -> Span:
        """Return the span of the call, with an event for each attempt after the first one."""
        x = self._x
        upstream = call.upstream
        if not upstream and x.route is not None and x.route.upstream is not None:
            upstream = x.route.upstream.id
        address, _, port = (upstream if x.answer is None else x.answer.target).rpartition(":")
        attributes: Attributes = {
            "http.request.method": self._method,
            "server.address": address.strip("[]") or port,
            "gateway.upstream": upstream,
        }
        if address and port.isdecimal():
            attributes["server.port"] = int(port)
        error = None if x.error is None or not x.error.fault.of_upstream else x.error.fault.name
        if x.answer is not None:
            attributes["http.response.status_code"] = x.answer.status
            error = error or (str(x.answer.status) if x.answer.status >= 400 else None)
        if error is not None:
            attributes["error.type"] = error
        if call.resent:
            attributes["http.request.resend_count"] = len(call.resent)
        events = tuple(
            SpanEvent("gateway.retry", self._at(each.at), {"gateway.retry.reason": each.reason}) for each in call.resent
        )
        streamed = x.tunnel or (x.answer is not None and x.answer.stream is not None)
        ended_ns = self._ended_ns if streamed else self._at(x.called + x.upstream_s)
        return self._span(
            self._method,
            "client",
            x.traceparent[36:52],
            self.span_id,
            (self._at(x.called), ended_ns),
            attributes,
            events,
            failed=error is not None,
        )

    def _limiter_events(self) -> tuple[SpanEvent, ...]:
        decision = self._x.decision
        if decision is None or self._x.peeked:
            return ()
        attributes: Attributes = {
            "gateway.limiter.result": "allowed" if decision.allowed else "refused",
            "gateway.limiter.store": decision.store,
        }
        if decision.states:
            attributes["gateway.limiter.remaining"] = decision.states[0].remaining
        return (SpanEvent("gateway.limiter", self._at(self._x.decided), attributes),)

    def _at(self, monotonic_s: float) -> int:
        """Return the Unix time of a reading of the monotonic clock, which is within the exchange."""
        return min(self._ended_ns, self._began_ns + max(0, round((monotonic_s - self._x.started) * 1e9)))

    def _trace_state(self) -> str:
        """Return the `tracestate` of the client, "" if it may contain a key."""
        x = self._x
        state = ",".join(x.headers.getall("tracestate", []))
        if len(state) > _LONGEST_STATE or without_keys(state) != state:
            return ""
        lower = state.lower()
        return "" if any(key.lower() in lower for key in x.keys if key) else state

    def _span(
        self,
        name: str,
        kind: SpanRole,
        span_id: str,
        parent_id: str,
        times_ns: tuple[int, int],
        attributes: Attributes,
        events: tuple[SpanEvent, ...],
        *,
        failed: bool,
    ) -> Span:
        x = self._x
        began_ns, ended_ns = times_ns
        return Span(
            name,
            kind,
            x.trace_id,
            span_id,
            parent_id,
            int(x.traceparent[-2:], 16),
            self._state,
            began_ns,
            ended_ns,
            attributes,
            events,
            failed,
        )
