"""What is remembered of an exchange: its counts and its access line. Refused and abandoned ones too.

Law: `record` never raises. It runs after the reply, where an exception would end the connection and lose the requests that
wait on it. What cannot be recorded is counted, and logged as a bug.
"""

from contextlib import suppress

import msgspec
import structlog

from gateway.exchange import Exchange
from gateway.kernel.faults import (
    KEY_AMBIGUOUS,
    LIMITER_UNAVAILABLE,
    RATE_LIMITED,
)
from gateway.kernel.http.key_scrubbing import decode, fold
from gateway.kernel.key_format import without_keys
from gateway.observe.access_log import AccessLog, AccessRecord
from gateway.observe.instruments import Counter, Histogram, method_label
from gateway.observe.metrics import NO_ROUTE, Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRecord, Lane, clipped

ABANDONED = 499
"""The status recorded for a client that left before it was answered."""
_LONGEST_PATH = 512
_LONGEST_METHOD = 16
_IN_ANY_NUMBER = (ABANDONED, RATE_LIMITED.status)
"""What even a known caller can bring about as often as it likes."""


class _Series(msgspec.Struct):
    """The series of one route, found once."""

    requests: dict[tuple[str, int, str], Counter]
    duration: Histogram
    overhead: Histogram
    request_bytes: Counter
    response_bytes: Counter


class _UpstreamSeries(msgspec.Struct):
    requests: dict[int, Counter]
    duration: Histogram


class Recorder:
    """Counts exchanges and writes their lines. `secret_name` is the query parameter that carries keys.

    `errors` keeps those that ended in an error, None keeps none.
    """

    def __init__(self, metrics: Metrics, log: AccessLog, secret_name: str, errors: ErrorLog | None = None) -> None:
        self._metrics = metrics
        self._errors = errors
        self._log = log
        self._secret = fold(secret_name)
        self._in_flight = metrics.in_flight
        self._routes: dict[str, _Series] = {}
        self._upstreams: dict[str, _UpstreamSeries] = {}
        self._limiter: dict[tuple[str, bool], tuple[Counter, Histogram]] = {}

    def begin(self) -> None:
        """An exchange begins; `record` ends it."""
        self._in_flight.inc()

    def bug(self, error: Exception, request_id: str) -> None:
        """Something raised that never should. The traceback goes to the log, the client learns the request id only."""
        structlog.get_logger().error("bug", request_id=request_id, exc_info=error)

    def unmeasured(self, quota: str) -> None:
        """A call was charged nothing, because its answer did not tell how much it was."""
        self._metrics.quota_unmeasured.labels(quota).inc()

    def record(self, x: Exchange, now_s: float) -> None:
        """Count `x` and write its line. `now_s` is the monotonic clock's reading."""
        self._in_flight.dec()
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
        source = "gateway" if abandoned or reply is None else reply.source
        total_s = now_s - x.started
        received = x.body.received if x.body is not None else 0
        self._count(x, status, source, total_s, received)
        if self._log.enabled:
            self._write(x, status, source, total_s, received)
        if (status >= 400 or x.outcome != "answered") and self._errors is not None:
            self._keep(self._errors, x, status, source, total_s)

    def _count(self, x: Exchange, status: int, source: str, total_s: float, received: int) -> None:
        route = x.route
        series = self._routes.get(route.id if route else NO_ROUTE) or self._new_route(route.id if route else NO_ROUTE)
        counter = series.requests.get((x.method, status, source))
        if counter is None:
            counter = self._new_counter(series, route.id if route else NO_ROUTE, x.method, status, source)
        counter.inc()
        series.duration.observe(total_s)
        if x.client_s:
            self._metrics.client_wait.labels(route.id if route else NO_ROUTE).observe(x.client_s)
        if x.outcome == "answered":
            series.overhead.observe(max(0.0, total_s - x.upstream_s - x.client_s))
        if received:
            series.request_bytes.inc(received)
        if x.sent_bytes:
            series.response_bytes.inc(x.sent_bytes)
        if x.decision is not None and not x.looked:
            decided = self._limiter.get((x.decision.store, x.decision.allowed)) or self._new_limiter(x.decision.store, x.decision.allowed)
            decided[0].inc()
            decided[1].observe(x.limiter_s)
            for window in x.decision.shadows:
                self._metrics.limiter_shadow_refused.labels(window.id).inc()
            for state in x.decision.spent:
                self._metrics.quota_refused.labels(state.meter.id).inc()
        if x.upstream_s and route is not None and route.upstream is not None:
            self._count_upstream(x, route.upstream.id)
        if x.error is not None and source == "gateway" and x.outcome == "answered":
            if x.error.fault.name == LIMITER_UNAVAILABLE.name:
                self._metrics.limiter_decisions.labels("redis", "error").inc()
            self._metrics.rejected.labels(x.error.fault.name, x.reply.code if x.reply else x.error.fault.code).inc()

    def _count_upstream(self, x: Exchange, upstream: str) -> None:
        series = self._upstreams.get(upstream)
        if series is None:
            series = self._upstreams[upstream] = _UpstreamSeries({}, self._metrics.upstream_duration.labels(upstream))
        series.duration.observe(x.upstream_s)
        if x.answer is not None:
            counter = series.requests.get(x.answer.status)
            if counter is None:
                counter = series.requests[x.answer.status] = self._metrics.upstream_requests.labels(upstream, x.answer.status)
            counter.inc()
        if x.error is not None and x.error.fault.of_upstream:
            self._metrics.upstream_errors.labels(upstream, x.error.fault.name).inc()

    def _new_route(self, route: str) -> _Series:
        metrics = self._metrics
        series = self._routes[route] = _Series(
            {},
            metrics.request_duration.labels(route),
            metrics.overhead.labels(route),
            metrics.request_bytes.labels(route),
            metrics.response_bytes.labels(route),
        )
        return series

    def _new_counter(self, series: _Series, route: str, method: str, status: int, source: str) -> Counter:
        label = method_label(method)
        counter = self._metrics.requests.labels(route, label, status, source)
        if label == method:  # what a client may invent is not remembered
            series.requests[method, status, source] = counter
        return counter

    def _new_limiter(self, store: str, allowed: bool) -> tuple[Counter, Histogram]:
        decisions = self._metrics.limiter_decisions.labels(store, "allowed" if allowed else "refused")
        pair = self._limiter[store, allowed] = (decisions, self._metrics.limiter_duration.labels(store))
        return pair

    def _write(self, x: Exchange, status: int, source: str, total_s: float, received: int) -> None:
        caller, decision, error = x.caller, x.decision, x.error
        # Rounding costs twice as much
        total_us, upstream_us, client_us = int(total_s * 1e6), int(x.upstream_s * 1e6), int(x.client_s * 1e6)
        self._log.write(
            AccessRecord(  # by position: three times as fast as by name, and once a request
                "",
                "",
                x.request_id,
                x.method,
                x.route.id if x.route is not None else None,
                status,
                source,
                x.outcome,
                total_us / 1e3,
                upstream_us / 1e3,
                client_us / 1e3,
                max(0, total_us - upstream_us - client_us) / 1e3,
                received,
                x.sent_bytes,
                x.client,
                x.trace_id,
                caller.id if caller is not None else None,
                caller.organization if caller is not None else None,
                ("allowed" if decision.allowed else "refused") if decision is not None and not x.looked else None,
                decision.store if decision is not None else None,
                decision.states[0].remaining if decision is not None and decision.states else None,
                tuple([window.id for window in decision.shadows]) if decision is not None and decision.shadows else None,
                tuple([state.meter.id for state in decision.spent]) if decision is not None and decision.spent else None,
                x.answer.target if x.answer is not None else None,
                x.reply.upstream_request_id if x.reply is not None else None,
                x.reply.code if x.reply is not None and x.reply.status >= 400 else None,
                error.fault.name if error is not None else None,
                error.cause if error is not None else None,
                self._path(x),
            )
        )

    def _keep(self, errors: ErrorLog, x: Exchange, status: int, source: str, total_s: float) -> None:
        caller, route, error, reply = x.caller, x.route, x.error, x.reply
        if status >= 500 or x.outcome == "cut":
            lane = Lane.fault
        elif caller is None or (route is not None and route.open) or status in _IN_ANY_NUMBER:
            lane = Lane.stranger
        else:
            lane = Lane.caller
        errors.write(
            lane,
            ErrorRecord(
                errors.wall(),
                x.request_id,
                x.trace_id,
                status,
                reply.code if reply is not None and reply.status >= 400 else None,
                x.method[:_LONGEST_METHOD],
                route.id if route is not None else None,
                clipped(self._path(x)),
                source,
                x.outcome,
                error.fault.name if error is not None else None,
                clipped(error.cause) if error is not None else None,
                clipped(x.answer.target) if x.answer is not None else None,
                caller.id if caller is not None else None,
                caller.organization if caller is not None else None,
                int(total_s * 1e6) / 1e3,
                int(x.upstream_s * 1e6) / 1e3,
            ),
        )

    def _path(self, x: Exchange) -> str | None:
        """The path, unless somebody's key may stand in it."""
        path = x.path
        if x.route is not None and path == x.route.pattern:
            return path
        if x.head_error is not None or not path.isascii():
            return None
        if x.route is None and x.error is not None and x.error.fault.name == KEY_AMBIGUOUS.name:
            return None  # so many that nobody has looked at them
        plain = decode(decode(path)) if "%" in path else path
        keys = {key for key in (*x.header_keys, *x.query_keys) if key}
        if f"{self._secret}=" in fold(plain) or any(key in path or key in plain for key in keys):
            return None
        shown = without_keys(path)
        if shown == path and plain is not path and without_keys(plain) != plain:
            return None
        return shown[:_LONGEST_PATH]
