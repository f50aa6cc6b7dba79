"""Records each exchange: its counts, its access line and, after an error, its entry among the last errors.

Exchanges that were rejected or abandoned are recorded too. Those that end in one iteration of the event loop are
recorded together, directly before their replies are written out: that spares many updates of memory that other
processes read, and the processor's caches hold what the next exchange needs.

Laws:
 - No reply leaves the process before its exchange is recorded, unless it was written before it had ended.
 - `record` never raises. It runs after the reply, where an exception would end the connection and lose the requests
   that wait on it. What cannot be recorded is counted, and logged as a bug.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import structlog

from gateway.exchange import (
    CaptureFailure,
    CountActivity,
    CountUsage,
    Exchange,
    ExportSpans,
    Reply,
    ReplySource,
)
from gateway.kernel.faults import KEY_AMBIGUOUS, LIMITER_UNAVAILABLE, RATE_LIMITED
from gateway.kernel.http.key_scrubbing import fold, path_without_keys
from gateway.kernel.limits.token_bucket import Decision
from gateway.kernel.memo import Memo
from gateway.observe.access_log import AccessLog
from gateway.observe.exchange_series import ExchangeSeries, UpstreamSeries, exchange_series
from gateway.observe.instruments import Gauge, method_label
from gateway.observe.json_line import encoded
from gateway.observe.metrics import NO_ROUTE, Metrics
from gateway.observe.recent_errors import ErrorLog, Lane
from gateway.records.fields import access_record, alike_record, error_record, shared_members
from gateway.upstream.call import Answer

ABANDONED = 499
"""The status recorded for a client that left before it was answered."""
_ABANDONED: tuple[int, ReplySource] = (ABANDONED, "gateway")
_SWITCHED = 101
_LONGEST_PATH = 512
_UNBOUNDED_STATUSES = (ABANDONED, RATE_LIMITED.status)
"""Statuses that even a known caller can cause as often as it likes."""

_FAULT, _CALLER, _STRANGER = Lane
"""The lanes by names of their own: an attribute of an enum is looked up by a function in Python."""

_NO_REPLY, _UNANSWERED = Reply(ABANDONED, [], b"", code=-1), Answer(0, [], b"", None, 0, "")
_UNDECIDED = Decision(allowed=False, store="none", states=())
"""What stands for a part that an exchange does not have. No real one is equal: what has no limit is always allowed."""
_MOST_ALIKE = 4096

BeforeWrites: TypeAlias = Callable[[Callable[[], None]], None]
"""Calls a function once, as `WriteBatch.before_writes` does."""


class Recorder:
    """Counts exchanges and writes their access lines.

    `secret_name` is the query parameter that carries keys. `errors` keeps the exchanges that ended in an error; None
    keeps none. `before_writes` calls what records them, at once if no replies wait to be written. `export_spans`,
    `count_usage`, `count_activity` and `capture` are None where that is not wanted.
    """

    def __init__(
        self,
        metrics: Metrics,
        log: AccessLog,
        secret_name: str,
        errors: ErrorLog | None = None,
        before_writes: BeforeWrites = lambda record: record(),
    ) -> None:
        self._metrics = metrics
        self._errors = errors
        self.count_activity: CountActivity | None = None
        self.export_spans: ExportSpans | None = None
        self.count_usage: CountUsage | None = None
        self.capture: CaptureFailure | None = None
        self._log = log
        self._put, self._timestamp = log.put, log.timestamp
        self._secret = fold(secret_name)
        self._in_flight = metrics.in_flight
        self.begin: Callable[[], None] = metrics.in_flight.inc
        """Counts an exchange that begins. `record` ends it."""
        self._before_writes = before_writes
        self._ended: list[tuple[Exchange, float]] = []
        """Exchanges to be recorded, with the time of their end by the monotonic clock."""
        self._wall_ahead_s = 0.0
        """How far Unix time was ahead of that clock when the first of them ended."""
        self._uncounted: list[ExchangeSeries] = []
        self._alike: Memo[tuple[object, ...], ExchangeSeries] = Memo(_MOST_ALIKE)

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
            self._log.write(access_record(x, _SWITCHED, "upstream", now_s - x.started, self._path(x)), self._log.wall())
            x.outcome = "answered"

    def _tunnels(self, x: Exchange) -> Gauge:
        return self._metrics.tunnels.labels(NO_ROUTE if x.route is None else x.route.id)

    def unattended(self, x: Exchange) -> None:
        """Count a call to an upstream that no client waits for any more, or never did."""
        if x.upstream_s and x.route is not None and x.route.upstream is not None:
            status, fault = None if x.answer is None else x.answer.status, x.error.fault if x.error else None
            of_upstream = fault.name if fault is not None and fault.of_upstream else None
            UpstreamSeries.of(self._metrics, x.route.upstream.id, status, of_upstream).count(x.upstream_s)

    def record(self, x: Exchange, now_s: float) -> None:
        """Count `x` and write its access line. `now_s` is a reading of the monotonic clock."""
        ended = self._ended
        ended.append((x, now_s))
        if len(ended) == 1:
            self._wall_ahead_s = self._log.wall() - now_s
            self._before_writes(self._record_all)

    def _record_all(self) -> None:
        """Record all that have ended, in their order."""
        ended, self._ended = self._ended, []
        alone = len(ended) == 1
        self._in_flight.dec(len(ended))
        for x, now_s in ended:
            try:
                if x.tunnel:
                    self._tunnels(x).dec()
                self._record(x, now_s, now_s + self._wall_ahead_s, alone=alone)
            except Exception as bug:
                self._not_recorded(bug, x.request_id)
        if not alone:
            uncounted, self._uncounted = self._uncounted, []
            for series in uncounted:
                try:
                    series.count_all()
                except Exception as bug:
                    self._not_recorded(bug, "")

    def _not_recorded(self, bug: Exception, request_id: str) -> None:
        with suppress(Exception):
            self._metrics.unrecorded.inc()
            self.bug(bug, request_id)

    def _record(self, x: Exchange, now_s: float, wall_s: float, *, alone: bool) -> None:
        """Record one that has ended. It is counted by `_record_all`, unless it is the only one."""
        reply, decision, answer = x.reply or _NO_REPLY, x.decision or _UNDECIDED, x.answer or _UNANSWERED
        error, call, cache, upstream_s = x.error, x.call, x.cache, x.upstream_s
        total_s = now_s - x.started
        own_s = total_s - upstream_s - x.client_s
        if own_s < 0.0:
            own_s = 0.0
        alike = (
            x.route, x.method, x.outcome, error and error.fault.name, cache and cache.result, reply.status, reply.code,
            reply.source, decision.store, decision.allowed, x.peeked, call and call.upstream, upstream_s != 0.0,
            answer.status, answer.target,
        )  # fmt: skip
        series = self._alike.get(alike) or self._new_series(alike, x)
        received_bytes = 0 if x.body is None else x.body.received
        if alone:
            series.count(total_s, own_s, upstream_s, x.limiter_s, received_bytes, x.sent_bytes)
        else:
            if not series.uncounted:
                self._uncounted.append(series)
            series.uncounted.append((total_s, own_s, upstream_s, x.limiter_s, received_bytes, x.sent_bytes))
        if x.client_s:
            self._metrics.client_wait.labels(series.route).observe(x.client_s)
        if cache is not None and cache.has_saved and series.answered:
            self._metrics.cache_saved_bytes.labels(series.route).inc(x.sent_bytes)
        if self.count_usage is not None:
            self.count_usage(x, series.status)
        if self.count_activity is not None:
            self.count_activity(x, series, total_s, own_s)
        if self.export_spans is not None:
            x.span_id = self.export_spans(x, series.status, total_s, self._path)
        usual = (
            x.coded is None
            and x.idempotency is None
            and x.span_id is None
            and not (x.request_faults or decision.shadows or decision.spent)
            and (call is None or call.hedge is None)
            and (error is None or error.cause is None)
        )
        if not usual:
            self._count_unusual(x, series)
        log, failed = self._log, series.failed
        if log.enabled or failed:
            path = x.path if x.line is not None else self._path(x)
            if not series.answered:
                usual = False
            if usual and log.is_json and series.remembered:
                shared = series.shared_members
                if shared is None:
                    whole = access_record(x, series.status, series.source, total_s, path)
                    shared = series.shared_members = shared_members(whole)
                self._put(encoded(alike_record(shared, self._timestamp(wall_s), x, total_s, path)))
            elif log.enabled:
                log.write(access_record(x, series.status, series.source, total_s, path), wall_s)
            if failed:
                self._keep_failure(x, series, total_s, path, wall_s)

    def _keep_failure(
        self, x: Exchange, series: ExchangeSeries, total_s: float, path: str | None, wall_s: float
    ) -> None:
        """Write the entry of `x` among the last errors, and capture `x` if it is wanted."""
        if self._errors is not None:
            record = error_record(x, series.status, series.source, total_s, path, wall_s)
            self._errors.write(_lane_of(x, series.status), record)
        if self.capture is not None:
            self.capture(x, series.status, self._path)

    def _count_unusual(self, x: Exchange, series: ExchangeSeries) -> None:
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

    def _new_series(self, alike: tuple[object, ...], x: Exchange) -> ExchangeSeries:
        """Return the series of exchanges like `x`, and remember them by what these have in common."""
        metrics, route, reply, error, call, answer = self._metrics, x.route, x.reply, x.error, x.call, x.answer
        name, label = NO_ROUTE if route is None else route.id, method_label(x.method)
        code, fault = None if reply is None else reply.code, None if error is None else error.fault
        status, source = _ABANDONED if reply is None or x.outcome == "abandoned" else (reply.status, reply.source)
        counters = [metrics.requests.labels(name, label, status, source)]
        limiter = upstream = called = None
        if x.decision is not None and not x.peeked:
            verdict = "allowed" if x.decision.allowed else "refused"
            counters.append(metrics.limiter_decisions.labels(x.decision.store, verdict))
            limiter = metrics.limiter_duration.labels(x.decision.store)
        if fault is not None and source == "gateway" and x.outcome == "answered":
            if fault.name == LIMITER_UNAVAILABLE.name:
                counters.append(metrics.limiter_decisions.labels("redis", "error"))
            counters.append(metrics.rejected.labels(fault.name, fault.code if code is None else code))
        if x.upstream_s and route is not None and route.upstream is not None:
            of_upstream = fault.name if fault is not None and fault.of_upstream else None
            chosen = (call and call.upstream) or route.upstream.id
            upstream = UpstreamSeries.of(metrics, chosen, None if answer is None else answer.status, of_upstream)
            called = None if call is None else (chosen, "" if answer is None else answer.target or "")
        if x.cache is not None:
            counters.append(metrics.cache_requests.labels(name, x.cache.result))
        series = exchange_series(
            metrics,
            (name, (status, code, source, "" if fault is None else fault.name), called),
            counters,
            limiter,
            upstream,
            answered=x.outcome == "answered",
        )
        if label == x.method:  # a client may invent any number of them
            series.remembered = True
            self._alike.keep(alike, series)
        return series

    def _path(self, x: Exchange) -> str | None:
        """Return the path, or None when it may contain a key."""
        if x.line is not None:
            return x.path
        if x.route is None:
            if x.error is not None and x.error.fault.name == KEY_AMBIGUOUS.name:
                return None  # there are more keys than are compared
        elif x.path == x.route.pattern:
            return x.path
        shown = None if x.head_error is not None else path_without_keys(x.path, x.keys, self._secret)
        return None if shown is None else shown[:_LONGEST_PATH]


def _lane_of(x: Exchange, status: int) -> Lane:
    """Return where among the last errors this one is kept, so that nobody crowds out those of others."""
    if status >= 500 or x.outcome == "cut":
        return _FAULT
    if x.caller is None or status in _UNBOUNDED_STATUSES or x.is_open:
        return _STRANGER
    return _CALLER
