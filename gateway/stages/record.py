"""Records each exchange: its counts, its access line and, after an error, its entry among the last errors.

Exchanges that were rejected or abandoned are recorded too. `_FIELDS` names every field of an access record and of a
record of the last errors, and where its value comes from. Both constructors are compiled from this table when the
module is imported, so that the table costs nothing for each request.

Law: `record` never raises. It runs after the reply, where an exception would end the connection and lose the requests
that wait on it. What cannot be recorded is counted, and logged as a bug.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import structlog

from gateway.exchange import CountActivity, CountUsage, Exchange, ExportSpans, ReplySource
from gateway.kernel.faults import KEY_AMBIGUOUS, LIMITER_UNAVAILABLE, RATE_LIMITED, GatewayError
from gateway.kernel.http.key_scrubbing import decode, fold
from gateway.kernel.key_format import without_keys
from gateway.kernel.limits.token_bucket import Decision
from gateway.observe.access_log import AccessLog, AccessRecord
from gateway.observe.instruments import Counter, Gauge, Histogram, method_label
from gateway.observe.metrics import NO_ROUTE, Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRecord, Lane, clipped
from gateway.observe.route_series import RouteSeries, UpstreamSeries

ABANDONED = 499
"""The status recorded for a client that left before it was answered."""
_SWITCHED = 101
_LONGEST_PATH = 512
_LONGEST_METHOD = 16
_UNBOUNDED_STATUSES = (ABANDONED, RATE_LIMITED.status)
"""Statuses that even a known caller can cause as often as it likes."""

_PARAMETERS = "x, status, source, total_us, upstream_us, client_us, path, at"
"""The parameters of the compiled constructors. Durations are in microseconds."""

_FIELDS = {
    "timestamp": "''",  # `AccessLog.write` sets it and the level
    "level": "''",
    "at": "at",
    "request_id": "x.request_id",
    "trace_id": "x.trace_id",
    "span_id": "x.span_id",
    "method": "x.method",
    "route": "x.route and x.route.id",
    "path": "path",
    "status": "status",
    "source": "source",
    "outcome": "x.outcome",
    "total_ms": "total_us / 1e3",  # truncated to microseconds: rounding costs twice as much
    "upstream_ms": "upstream_us / 1e3",
    "client_ms": "client_us / 1e3",
    "overhead_ms": "max(0, total_us - upstream_us - client_us) / 1e3",
    "request_bytes": "x.body.received if x.body is not None else 0",
    "response_bytes": "x.sent_bytes",
    "client": "x.client",
    "key_id": "x.caller and x.caller.id",
    "organization": "x.caller and x.caller.organization",
    "limiter_result": (
        "('allowed' if x.decision.allowed else 'refused') if x.decision is not None and not x.peeked else None"
    ),
    "limiter_store": "x.decision and x.decision.store",
    "limiter_remaining": "x.decision.states[0].remaining if x.decision is not None and x.decision.states else None",
    "limiter_shadows": "tuple([each.id for each in x.decision.shadows]) if x.decision and x.decision.shadows else None",
    "request_faults": "x.request_faults or None",
    "limiter_spent": "tuple([each.meter.id for each in x.decision.spent]) if x.decision and x.decision.spent else None",
    "cache_result": "x.cache and x.cache.result",
    "cache_age_s": "x.cache and int(x.cache.age_s)",
    "idempotency": "x.idempotency",
    "hedge": "x.call and x.call.hedge",
    "coding": "x.coded and x.coded.coding",
    "saved_bytes": "x.coded and x.coded.saved_bytes",
    "target": "x.answer and x.answer.target",
    "upstream_request_id": "x.reply and x.reply.upstream_request_id",
    "code": "x.reply.code if x.reply is not None and x.reply.status >= 400 else None",
    "reason": "x.error and x.error.fault.name",
    "cause": "x.error and x.error.cause",
}
"""Expressions in Python, by the names of the fields. None leaves a field out."""

_CLIPPED = {name: f"clipped({_FIELDS[name]})" for name in ("path", "cause", "target")}
"""The fields whose length is limited where the last errors are kept."""

R = TypeVar("R", bound=msgspec.Struct)


def _constructor(record: type[R], fields: dict[str, str]) -> Callable[..., R]:
    """Compile a function of `_PARAMETERS` that makes a `record`, by position: three times as fast as by name."""
    values = ", ".join(fields[name] for name in record.__struct_fields__)
    names: dict[str, Any] = {"record": record, "clipped": clipped}
    made: Callable[..., R] = eval(f"lambda {_PARAMETERS}: record({values})", names)  # noqa: S307  no input
    return made


_access_record = _constructor(AccessRecord, _FIELDS)
_error_record = _constructor(ErrorRecord, _FIELDS | _CLIPPED)


class Recorder:
    """Counts exchanges and writes their access lines.

    `secret_name` is the query parameter that carries keys. `errors` keeps the exchanges that ended in an error; None
    keeps none. `export_spans`, `count_usage` and `count_activity` are None where that is not wanted.
    """

    def __init__(self, metrics: Metrics, log: AccessLog, secret_name: str, errors: ErrorLog | None = None) -> None:
        self._metrics = metrics
        self._errors = errors
        self.count_activity: CountActivity | None = None
        self.export_spans: ExportSpans | None = None
        self.count_usage: CountUsage | None = None
        self._log = log
        self._secret = fold(secret_name)
        self._in_flight = metrics.in_flight
        self._routes: dict[str, RouteSeries] = {}
        self._upstreams: dict[str, UpstreamSeries] = {}
        self._limiter: dict[tuple[str, bool], tuple[Counter, Histogram]] = {}

    def begin(self) -> None:
        """Count an exchange that begins. `record` ends it."""
        self._in_flight.inc()

    def bug(self, error: Exception, request_id: str) -> None:
        """Log the traceback of an exception that is a bug. The client receives the request id only."""
        structlog.get_logger().error("bug", request_id=request_id, exc_info=error)

    def unmeasured(self, quota: str) -> None:
        """Count a call that was charged nothing to `quota`, because its answer did not report an amount."""
        self._metrics.quota_unmeasured.labels(quota).inc()

    def opened(self, x: Exchange, now_s: float) -> None:
        """Count a tunnel, and write its first access line. `record` writes the second one when it is closed."""
        x.tunnel = True
        self._tunnels(x).inc()
        if self._log.enabled:
            x.outcome = "opened"
            about = (*_durations_us(x, now_s - x.started), self._path(x))
            self._log.write(_access_record(x, _SWITCHED, "upstream", *about, None))
            x.outcome = "answered"

    def _tunnels(self, x: Exchange) -> Gauge:
        return self._metrics.tunnels.labels(NO_ROUTE if x.route is None else x.route.id)

    def unattended(self, x: Exchange) -> None:
        """Count a call to an upstream that no client waits for any more, or never did."""
        if x.upstream_s and x.route is not None and x.route.upstream is not None:
            self._count_upstream(x, x.route.upstream.id)

    def record(self, x: Exchange, now_s: float) -> None:
        """Count `x` and write its access line. `now_s` is a reading of the monotonic clock."""
        self._in_flight.dec()
        if x.tunnel:
            self._tunnels(x).dec()
        try:
            self._record(x, now_s)
        except Exception as bug:
            with suppress(Exception):
                self._metrics.unrecorded.inc()
                self.bug(bug, x.request_id)

    def _record(self, x: Exchange, now_s: float) -> None:
        reply = x.reply
        abandoned = x.outcome == "abandoned" or reply is None
        status = ABANDONED if abandoned or reply is None else reply.status
        source: ReplySource = "gateway" if abandoned or reply is None else reply.source
        total_s = now_s - x.started
        if self.count_usage is not None:
            self.count_usage(x, status)
        self._count(x, status, source, total_s)
        if self.count_activity is not None:
            self.count_activity(x, status, source, total_s)
        if x.decision is not None and not x.peeked:
            self._count_decision(x, x.decision)
        if x.upstream_s and x.route is not None and x.route.upstream is not None:
            self._count_upstream(x, (x.call.upstream if x.call is not None else "") or x.route.upstream.id)
        if x.error is not None and source == "gateway" and x.outcome == "answered":
            self._count_rejection(x, x.error)
        if x.request_faults and x.route is not None:
            mode = "shadow" if x.route.request.shadow else "enforce"
            self._metrics.requests_at_fault.labels(x.route.id, mode).inc()
        if self.export_spans is not None:
            x.span_id = self.export_spans(x, status, total_s, self._path)
        errors = self._errors if status >= 400 or x.outcome != "answered" else None
        if self._log.enabled or errors is not None:
            about = (*_durations_us(x, total_s), self._path(x))
            if self._log.enabled:
                self._log.write(_access_record(x, status, source, *about, None))
            if errors is not None:
                errors.write(_lane_of(x, status), _error_record(x, status, source, *about, errors.wall()))

    def _count(self, x: Exchange, status: int, source: ReplySource, total_s: float) -> None:
        route = x.route.id if x.route is not None else NO_ROUTE
        series = self._routes.get(route) or self._new_route(route)
        counter = series.requests.get((x.method, status, source)) or self._new_counter(series, x.method, status, source)
        counter.inc()
        series.duration.observe(total_s)
        if x.client_s:
            self._metrics.client_wait.labels(route).observe(x.client_s)
        if x.outcome == "answered":
            series.overhead.observe(max(0.0, total_s - x.upstream_s - x.client_s))
        if x.body is not None and x.body.received:
            series.request_bytes.inc(x.body.received)
        if x.sent_bytes:
            series.response_bytes.inc(x.sent_bytes)
        if x.cache is not None:
            self._metrics.cache_requests.labels(route, x.cache.result).inc()
            if x.cache.has_saved and x.outcome == "answered":
                self._metrics.cache_saved_bytes.labels(route).inc(x.sent_bytes)
        if x.coded is not None:
            self._metrics.compressed_replies.labels(route, x.coded.coding).inc()
            self._metrics.compression_saved_bytes.labels(route, x.coded.coding).inc(x.coded.saved_bytes)

    def _count_decision(self, x: Exchange, decision: Decision) -> None:
        decided = self._limiter.get((decision.store, decision.allowed)) or self._new_limiter(
            decision.store, allowed=decision.allowed
        )
        decided[0].inc()
        decided[1].observe(x.limiter_s)
        for window in decision.shadows:
            self._metrics.limiter_shadow_refused.labels(window.id).inc()
        for state in decision.spent:
            self._metrics.quota_refused.labels(state.meter.id).inc()

    def _count_rejection(self, x: Exchange, error: GatewayError) -> None:
        if error.fault.name == LIMITER_UNAVAILABLE.name:
            self._metrics.limiter_decisions.labels("redis", "error").inc()
        self._metrics.rejected.labels(error.fault.name, x.reply.code if x.reply else error.fault.code).inc()

    def _count_upstream(self, x: Exchange, upstream: str) -> None:
        series = self._upstreams.get(upstream)
        if series is None:
            series = self._upstreams[upstream] = UpstreamSeries({}, self._metrics.upstream_duration.labels(upstream))
        series.duration.observe(x.upstream_s)
        if x.answer is not None:
            status = x.answer.status
            counter = series.requests.get(status)
            if counter is None:
                counter = series.requests[status] = self._metrics.upstream_requests.labels(upstream, status)
            counter.inc()
        if x.error is not None and x.error.fault.of_upstream:
            self._metrics.upstream_errors.labels(upstream, x.error.fault.name).inc()

    def _new_route(self, route: str) -> RouteSeries:
        metrics = self._metrics
        series = self._routes[route] = RouteSeries(
            route,
            {},
            metrics.request_duration.labels(route),
            metrics.overhead.labels(route),
            metrics.request_bytes.labels(route),
            metrics.response_bytes.labels(route),
        )
        return series

    def _new_counter(self, series: RouteSeries, method: str, status: int, source: ReplySource) -> Counter:
        label = method_label(method)
        counter = self._metrics.requests.labels(series.route, label, status, source)
        if label == method:  # a method that a client has invented is not kept
            series.requests[method, status, source] = counter
        return counter

    def _new_limiter(self, store: str, *, allowed: bool) -> tuple[Counter, Histogram]:
        decisions = self._metrics.limiter_decisions.labels(store, "allowed" if allowed else "refused")
        pair = self._limiter[store, allowed] = (decisions, self._metrics.limiter_duration.labels(store))
        return pair

    def _path(self, x: Exchange) -> str | None:
        """Return the path, or None when it may contain a key."""
        path = x.path
        if x.route is not None and path == x.route.pattern:
            return path
        if x.head_error is not None or not path.isascii():
            return None
        if x.route is None and x.error is not None and x.error.fault.name == KEY_AMBIGUOUS.name:
            return None  # there are more keys than are compared
        plain = decode(decode(path)) if "%" in path else path
        keys = {key for key in (*x.header_keys, *x.query_keys) if key}
        if f"{self._secret}=" in fold(plain) or any(key in path or key in plain for key in keys):
            return None
        shown = without_keys(path)
        if shown == path and plain is not path and without_keys(plain) != plain:
            return None
        return shown[:_LONGEST_PATH]


def _durations_us(x: Exchange, total_s: float) -> tuple[int, int, int]:
    """Return the durations of a record: in all, of the upstream and of the client."""
    return int(total_s * 1e6), int(x.upstream_s * 1e6), int(x.client_s * 1e6)


def _lane_of(x: Exchange, status: int) -> Lane:
    """Return where among the last errors this one is kept, so that nobody crowds out those of others."""
    if status >= 500 or x.outcome == "cut":
        return Lane.fault
    if x.caller is None or x.is_open or status in _UNBOUNDED_STATUSES:
        return Lane.stranger
    return Lane.caller
