"""Records each exchange: its counts, its access line and, after an error, its entry among the last errors.

Exchanges that were rejected or abandoned are recorded too.

Law: `record` never raises. It runs after the reply, where an exception would end the connection and lose the requests
that wait on it. What cannot be recorded is counted, and logged as a bug.
"""

from contextlib import suppress
from typing import TypeAlias

import structlog

from gateway.exchange import CaptureFailure, CountActivity, CountUsage, Exchange, ExportSpans, Outcome, ReplySource
from gateway.kernel.faults import KEY_AMBIGUOUS, LIMITER_UNAVAILABLE, RATE_LIMITED, GatewayError
from gateway.kernel.http.key_scrubbing import decode, fold
from gateway.kernel.key_format import PREFIX, without_keys
from gateway.kernel.memo import Memo
from gateway.observe.access_log import AccessLog
from gateway.observe.instruments import Gauge, method_label
from gateway.observe.metrics import NO_ROUTE, Metrics
from gateway.observe.recent_errors import ErrorLog, Lane
from gateway.observe.record_fields import access_record, error_record, refill
from gateway.observe.route_series import CacheSeries, ExchangeSeries, RouteSeries, UpstreamSeries
from gateway.table import Route

ABANDONED = 499
"""The status recorded for a client that left before it was answered."""
_ABANDONED: tuple[int, ReplySource] = (ABANDONED, "gateway")
_SWITCHED = 101
_LONGEST_PATH = 512
_UNBOUNDED_STATUSES = (ABANDONED, RATE_LIMITED.status)
"""Statuses that even a known caller can cause as often as it likes."""

AlikeKey: TypeAlias = tuple[Route | None, str, int, ReplySource, Outcome, str | None, str | None, bool]
"""Route, method, status, source, outcome, name of the fault, and the limiter's store and verdict."""
_MOST_ALIKE = 4096


class Recorder:
    """Counts exchanges and writes their access lines.

    `secret_name` is the query parameter that carries keys. `errors` keeps the exchanges that ended in an error; None
    keeps none. `export_spans`, `count_usage`, `count_activity` and `capture` are None where that is not wanted.
    """

    def __init__(self, metrics: Metrics, log: AccessLog, secret_name: str, errors: ErrorLog | None = None) -> None:
        self._metrics = metrics
        self._errors = errors
        self.count_activity: CountActivity | None = None
        self.export_spans: ExportSpans | None = None
        self.count_usage: CountUsage | None = None
        self.capture: CaptureFailure | None = None
        self._log = log
        self._secret = fold(secret_name)
        self._in_flight = metrics.in_flight
        self._upstreams: dict[str, UpstreamSeries] = {}
        self._alike: Memo[AlikeKey, ExchangeSeries] = Memo(_MOST_ALIKE)

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
            self._log.write(access_record(x, _SWITCHED, "upstream", *about, None))
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
        reply, decision, error, outcome = x.reply, x.decision, x.error, x.outcome
        status, source = _ABANDONED if reply is None or outcome == "abandoned" else (reply.status, reply.source)
        store, allowed = (None, False) if decision is None or x.peeked else (decision.store, decision.allowed)
        fault = None if error is None else error.fault.name
        alike = (x.route, x.method, status, source, outcome, fault, store, allowed)
        series = self._alike.get(alike) or self._new_series(alike)
        total_s = now_s - x.started
        if self.count_usage is not None:
            self.count_usage(x, status)
        self._count(x, series, total_s)
        if self.count_activity is not None:
            self.count_activity(x, status, source, total_s)
        cache = x.cache
        if cache is not None:
            saved = cache.has_saved and outcome == "answered"
            series.route.cache.count(cache.result, x.sent_bytes if saved else 0)
        usual = (
            x.coded is None
            and x.idempotency is None
            and not x.request_faults
            and (decision is None or not (decision.shadows or decision.spent))
        )
        if not usual:
            self._count_unusual(x, series.route)
        if error is not None and source == "gateway" and outcome == "answered":
            self._count_rejection(x, error)
        if self.export_spans is not None:
            x.span_id = self.export_spans(x, status, total_s, self._path)
        errors = self._errors if status >= 400 or outcome != "answered" else None
        if self._log.enabled or errors is not None:
            about = (*_durations_us(x, total_s), self._path(x))
            if self._log.enabled:
                record = series.record
                if not usual or x.span_id is not None or (error is not None and error.cause is not None):
                    record = access_record(x, status, source, *about, None)
                elif record is None:
                    record = series.record = access_record(x, status, source, *about, None)
                else:
                    refill(record, x, status, source, *about, None)
                    if cache is not None or record.cache_result is not None:
                        record.cache_result = None if cache is None else cache.result
                        record.cache_age_s = None if cache is None else int(cache.age_s)
                self._log.write(record)
            if errors is not None:
                errors.write(_lane_of(x, status), error_record(x, status, source, *about, errors.wall()))
        if self.capture is not None and (status >= 400 or outcome != "answered"):
            self.capture(x, status, self._path)

    def _count(self, x: Exchange, series: ExchangeSeries, total_s: float) -> None:
        """Count what every exchange counts in."""
        route, upstream_s = series.route, x.upstream_s
        series.requests.inc()
        route.duration.observe(total_s)
        if x.outcome == "answered":
            own_s = total_s - upstream_s - x.client_s
            route.overhead.observe(own_s if own_s > 0.0 else 0.0)
        if x.client_s:
            self._metrics.client_wait.labels(route.route).observe(x.client_s)
        if x.body is not None and x.body.received:
            route.request_bytes.inc(x.body.received)
        if x.sent_bytes:
            route.response_bytes.inc(x.sent_bytes)
        if series.decisions is not None and series.decision_duration is not None:
            series.decisions.inc()
            series.decision_duration.observe(x.limiter_s)
        if upstream_s and x.route is not None and x.route.upstream is not None:
            self._count_upstream(x, (x.call.upstream if x.call is not None else "") or x.route.upstream.id)

    def _count_unusual(self, x: Exchange, series: RouteSeries) -> None:
        """Count what few exchanges count in: compression, contracts, limits in shadow mode, quotas."""
        metrics, route = self._metrics, series.route
        if x.coded is not None:
            metrics.compressed_replies.labels(route, x.coded.coding).inc()
            metrics.compression_saved_bytes.labels(route, x.coded.coding).inc(x.coded.saved_bytes)
        if x.request_faults and x.route is not None:
            metrics.requests_at_fault.labels(route, "shadow" if x.route.request.shadow else "enforce").inc()
        if x.decision is not None and not x.peeked:
            for window in x.decision.shadows:
                metrics.limiter_shadow_refused.labels(window.id).inc()
            for state in x.decision.spent:
                metrics.quota_refused.labels(state.meter.id).inc()

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

    def _new_series(self, alike: AlikeKey) -> ExchangeSeries:
        route, method, status, source, _, _, store, allowed = alike
        metrics, name, label = self._metrics, NO_ROUTE if route is None else route.id, method_label(method)
        decisions = decision_duration = None
        if store is not None:
            decisions = metrics.limiter_decisions.labels(store, "allowed" if allowed else "refused")
            decision_duration = metrics.limiter_duration.labels(store)
        series = ExchangeSeries(
            RouteSeries(
                name,
                metrics.request_duration.labels(name),
                metrics.overhead.labels(name),
                metrics.request_bytes.labels(name),
                metrics.response_bytes.labels(name),
                CacheSeries(name, metrics.cache_requests, metrics.cache_saved_bytes),
            ),
            metrics.requests.labels(name, label, status, source),
            decisions,
            decision_duration,
        )
        return self._alike.keep(alike, series) if label == method else series  # a client may invent any number of them

    def _path(self, x: Exchange) -> str | None:
        """Return the path, or None when it may contain a key."""
        path, route = x.path, x.route
        if route is not None and path == route.pattern:
            return path
        if x.route is None and x.error is not None and x.error.fault.name == KEY_AMBIGUOUS.name:
            return None  # there are more keys than are compared
        keys = x.header_keys
        if (  # nearly always: there is nothing to decode, and no place for another key
            len(keys) <= 1
            and not (x.query_keys or "%" in path or "=" in path or PREFIX in path)
            and path.isascii()
            and x.head_error is None
            and not (keys and keys[0] and keys[0] in path)
        ):
            return path[:_LONGEST_PATH]
        if x.head_error is not None or not path.isascii():
            return None
        plain = decode(decode(path)) if "%" in path else path
        secrets = {key for key in (*keys, *x.query_keys) if key}
        if f"{self._secret}=" in fold(plain) or any(key in path or key in plain for key in secrets):
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
