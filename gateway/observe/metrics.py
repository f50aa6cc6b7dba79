"""Declares every series of a worker. Those of a node are in `observe/node_metrics.py`.

Labels are bounded: configuration ids and targets, methods, statuses, codes and names of faults; never a path, a key or
a client's address.
"""

from collections.abc import Sequence

from gateway.observe.contract_metrics import ContractMetrics
from gateway.observe.instruments import Exemplar, Family
from gateway.observe.shared_memory import Region
from gateway.observe.traffic_metrics import ROUTES, UPSTREAMS, TrafficMetrics

DURATION_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
OVERHEAD_BUCKETS_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""Buckets from 50 µs to 100 ms, in seconds."""

NO_ROUTE = "-"
"""The route label of a request that matched none."""

_FEW = 100
"""Caps on the series of a family, per thing that its labels name."""


class Metrics(ContractMetrics, TrafficMetrics):
    """The metrics of one worker. Bucket bounds are ascending seconds.

    `region` is the memory to count in, which its reader provides; None makes a new one.
    """

    def __init__(
        self,
        *,
        buckets: Sequence[float] = DURATION_BUCKETS_S,
        overhead_buckets: Sequence[float] = OVERHEAD_BUCKETS_S,
        region: Region | None = None,
    ) -> None:
        super().__init__(region or Region.create())

        # Requests
        self.requests = self._counter(
            "gateway_requests_total",
            "Requests answered, by route, method, HTTP status and who made that status; 499 is a client that left.",
            ("route", "method", "code", "source"),
            10 * ROUTES,
        )
        self.rejected = self._counter(
            "gateway_rejected_total",
            "Requests that the gateway itself refused, by fault and error code.",
            ("reason", "code"),
            5 * _FEW,
        )
        self.request_duration = self._histogram(
            "gateway_request_duration_seconds",
            "From the request's head to the end of the reply.",
            ("route",),
            ROUTES,
            buckets,
        )
        self.overhead = self._histogram(
            "gateway_overhead_seconds",
            "What the gateway added: the duration without the upstream's part and the client's.",
            ("route",),
            ROUTES,
            overhead_buckets,
        )
        self.client_wait = self._histogram(
            "gateway_client_wait_seconds",
            "Time spent waiting for clients, where there was any: for request bodies, and until what was written of a "
            "reply was taken.",
            ("route",),
            ROUTES,
            buckets,
        )
        self.in_flight = self._gauge("gateway_requests_in_flight", "Requests being answered.").labels()
        self.tunnels = self._gauge(
            "gateway_tunnels_open", "WebSockets that go through the gateway.", ("route",), ROUTES
        )
        self.unrecorded = self._counter(
            "gateway_requests_unrecorded_total",
            "Requests that could not be counted or logged, in whole or in part, because of a bug.",
        ).labels()
        self.request_bytes = self._counter(
            "gateway_request_bytes_total", "Bytes of request bodies.", ("route",), ROUTES
        )
        self.response_bytes = self._counter(
            "gateway_response_bytes_total", "Bytes of reply bodies sent to clients.", ("route",), ROUTES
        )
        self.cache_requests = self._counter(
            "gateway_cache_requests_total",
            "Requests on routes with a cache, by its part: hit, stale, revalidated, collapsed (got the reply to "
            "another client's call), miss, pass (a reply for one client only), bypass.",
            ("route", "result"),
            7 * ROUTES,
        )
        self.cache_saved_bytes = self._counter(
            "gateway_cache_saved_bytes_total",
            "Bytes of reply bodies that came from a cache and not from a service.",
            ("route",),
            ROUTES,
        )
        self.cache_bytes = self._gauge(
            "gateway_cache_bytes", "Memory that kept replies take, in all workers.", ("route",), ROUTES
        )
        self.cache_entries = self._gauge("gateway_cache_entries", "Kept replies, in all workers.", ("route",), ROUTES)
        self.cache_evictions = self._counter(
            "gateway_cache_evictions_total", "Kept replies that had to make room for others.", ("route",), ROUTES
        )
        self.idempotency = self._counter(
            "gateway_idempotency_calls_total",
            "Calls with an idempotency key: first, replayed (got the reply to the first), unprotected (Redis is away).",
            ("route", "result"),
            3 * ROUTES,
        )
        self.compressed_replies = self._counter(
            "gateway_compressed_replies_total",
            "Replies that were compressed, by content coding.",
            ("route", "coding"),
            3 * ROUTES,
        )
        self.compression_saved_bytes = self._counter(
            "gateway_compression_saved_bytes_total",
            "Bytes by which compression has shortened reply bodies.",
            ("route", "coding"),
            3 * ROUTES,
        )
        self.unread_bytes = self._gauge(
            "gateway_unread_bytes", "Bytes of replies that clients have not taken."
        ).labels()
        self.replies_not_taken = self._counter(
            "gateway_replies_not_taken_total",
            "Replies that were cut because clients left too much unread (`server.limits.unread`).",
        ).labels()
        self.client_connections = self._gauge("gateway_client_connections", "Open connections of clients.").labels()

        # Before HTTP
        self.connections_refused = self._counter(
            "gateway_client_connections_refused_total",
            "Connections that were answered 503 because there were too many.",
            ("listener",),
            _FEW,
        )
        self.proxy_protocol_refused = self._counter(
            "gateway_proxy_protocol_refused_total",
            "Connections closed for want of a PROXY header, by why (untrusted, malformed, timeout, closed).",
            ("listener", "reason"),
            4 * _FEW,
        )
        self.tls_handshake_failures = self._counter(
            "gateway_tls_handshake_failures_total",
            "TLS handshakes of clients that came to nothing, by why.",
            ("listener", "reason"),
            10 * _FEW,
        )
        self.tls_certificate_expiry = self._gauge(
            "gateway_tls_certificate_expiry_timestamp_seconds",
            "When the certificate in force expires, by the path of its file.",
            ("listener", "certificate"),
            10 * _FEW,
            merge="min",
        )
        self.tls_certificate_reads = self._counter(
            "gateway_tls_certificate_reads_total",
            "Certificates read; `refused` ones were not usable, and the ones before stayed in force.",
            ("listener", "result"),
            2 * _FEW,
        )

        # Keys that are kept in Redis
        self.key_lookups = self._counter(
            "gateway_key_lookups_total",
            "Looks for a key that is kept in Redis: in memory (memory, refused: known to be nobody's), in Redis "
            "(found, unknown, "
            "throttled: nobody's, after too many guesses of an address, error), or not at all (misspelt).",
            ("result",),
            _FEW,
        )
        self.keys_in_memory = self._gauge(
            "gateway_keys_in_memory", "Keys of those in Redis that workers know."
        ).labels()

        # Limiter
        self.limiter_decisions = self._counter(
            "gateway_limiter_decisions_total",
            "Decisions of the rate limiter, by who decided and what (allowed, refused, error).",
            ("store", "result"),
            _FEW,
        )
        self.limiter_duration = self._histogram(
            "gateway_limiter_duration_seconds",
            "Time taken by a decision of the rate limiter.",
            ("store",),
            _FEW,
            overhead_buckets,
        )
        self.limiter_shadow_refused = self._counter(
            "gateway_limiter_shadow_refused_total",
            "Requests that a limit in shadow mode would have refused, by the name of the limit.",
            ("limit",),
            ROUTES,
        )
        self.quota_refused = self._counter(
            "gateway_quota_refused_total",
            "Requests refused because a quota, or concurrency, was spent, by its name.",
            ("quota",),
            ROUTES,
        )
        self.quota_unmeasured = self._counter(
            "gateway_quota_unmeasured_total",
            "Successful replies that did not tell the amount that a quota adds up: they counted as nothing.",
            ("quota",),
            ROUTES,
        )
        self.quota_owed = self._gauge(
            "gateway_quota_settlements_owed", "Calls whose end is still to be told to the quotas in Redis."
        )
        self.quota_lost = self._counter(
            "gateway_quota_settlements_lost_total",
            "Calls whose end the quotas in Redis will never be told: it was away for too long.",
        )
        self.usage_owed = self._gauge(
            "gateway_usage_calls_owed", "Calls that the usage in Redis does not have yet; absent without usage."
        )
        self.redis_up = self._gauge(
            "gateway_redis_up", "1 while Redis answers, 0 while it does not; absent without Redis.", merge="min"
        )
        self.redis_state_changes = self._counter(
            "gateway_redis_state_changes_total",
            "Changes of the breaker before Redis, by the state it entered.",
            ("to",),
            _FEW,
        )

        # Upstreams
        self.upstream_requests = self._counter(
            "gateway_upstream_requests_total",
            "Replies of upstreams, by HTTP status.",
            ("upstream", "code"),
            20 * UPSTREAMS,
        )
        self.upstream_errors = self._counter(
            "gateway_upstream_errors_total",
            "Requests that an upstream did not answer, by fault.",
            ("upstream", "reason"),
            20 * UPSTREAMS,
        )
        self.upstream_duration = self._histogram(
            "gateway_upstream_duration_seconds",
            "Time spent waiting for an upstream.",
            ("upstream",),
            UPSTREAMS,
            buckets,
        )
        self.upstream_connections = self._gauge(
            "gateway_upstream_connections",
            "Connections to upstreams (idle, active) and requests waiting for one (pending).",
            ("upstream", "state"),
            3 * UPSTREAMS,
        )
        self.upstream_retries = self._counter(
            "gateway_upstream_retries_total",
            "Requests tried once more, on a fresh connection or at another target.",
            ("upstream",),
            UPSTREAMS,
        )
        self.upstream_ejections = self._counter(
            "gateway_upstream_ejections_total",
            "Targets left alone because calls failed, by the fault of the last one or its status.",
            ("upstream", "target", "reason"),
            20 * UPSTREAMS,
        )
        self.upstream_health_checks = self._counter(
            "gateway_upstream_health_checks_total",
            "Checks of targets, by what came of them.",
            ("upstream", "target", "result"),
            20 * UPSTREAMS,
        )
        self.upstream_breaker_opened = self._counter(
            "gateway_upstream_breaker_opened_total", "Circuits opened because calls failed.", ("upstream",), UPSTREAMS
        )

        # The worker itself
        self.log_dropped = self._counter(
            "gateway_log_dropped_total", "Log lines dropped because nobody read them in time."
        ).labels()
        self.spans_exported = self._counter(
            "gateway_spans_exported_total", "Spans that the collector of `observability.traces` has taken."
        ).labels()
        self.spans_dropped = self._counter(
            "gateway_spans_dropped_total", "Spans dropped because the collector did not take them, or not in time."
        ).labels()

    def duration_exemplars(self) -> Family[Exemplar]:
        """Return the exemplars of `request_duration`, by route, for whoever samples traces."""
        return self._exemplars(self.request_duration)
