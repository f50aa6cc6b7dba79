"""Builds the parts of one worker from a configuration, and connects them."""

import os
import socket
from collections.abc import Callable
from functools import partial

import structlog

from gateway import __version__
from gateway.accounting.counts import UsageCounts
from gateway.accounting.storage import UsageStore
from gateway.accounting.writer import UsageWriter
from gateway.dry_run.query import explain_query
from gateway.dry_run.run import Compiled
from gateway.edge import Listener
from gateway.edge.connection_limits import bounds
from gateway.edge.from_settings import handshake_options, head_checker
from gateway.edge.listener_events import ListenerEvents
from gateway.edge.unread_replies import UnreadReplies
from gateway.exchange import ServeExchange
from gateway.fleet.query import QUESTION, fleet_query
from gateway.fleet.registry import FleetRegistry
from gateway.history.activity import Activity
from gateway.kernel.ids import Ids
from gateway.key_management.own_key import OwnKeys
from gateway.keystore.sync import key_sync
from gateway.keystore.writer import KeyWriter
from gateway.limiter.interface import Limiter
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.net.compressor import Compressor
from gateway.net.write_batch import WriteBatch
from gateway.observe.log import Log
from gateway.observe.metrics import Metrics
from gateway.observe.recent_errors import ErrorLog
from gateway.pipeline import Gateway
from gateway.reuse.cache import ReplyCache
from gateway.reuse.idempotency import IdempotencyKeys
from gateway.reuse.idempotency_store import MemoryIdempotencyStore, RedisIdempotencyStore
from gateway.settings.schema.observability import TracesSettings
from gateway.settings.schema.server import ListenerSettings
from gateway.stages.count_usage import UsageCounter
from gateway.stages.export_spans import SpanExport
from gateway.stages.prepare import ReadAhead
from gateway.stages.record import Recorder
from gateway.system.clock import SYSTEM_CLOCK
from gateway.table.compile import build_routes
from gateway.table.snapshot import Snapshot
from gateway.table.upstreams import build_health_checks, build_upstreams
from gateway.tracing.export_queue import ExportQueue
from gateway.worker.capture import capture_of, captures_query
from gateway.worker.context import WorkerContext
from gateway.worker.onlookers import onlookers_of
from gateway.worker.queries import connections_query, purge_query, query_handlers
from gateway.worker.query_server import QueryHandler
from gateway.worker.redis_scripts import more_scripts
from gateway.worker.usage_query import usage_handler


class Assembly:
    """All parts of one worker. Nothing is started, and no listener exists before `build_listeners`."""

    def __init__(self, snapshot: Snapshot, context: WorkerContext) -> None:
        config = snapshot.config
        self.snapshot = snapshot
        self.context = context
        self.listeners: list[Listener] = []
        observability = config.observability
        self.log = Log(
            SYSTEM_CLOCK.wall,
            format=observability.log.format,
            level=observability.log.level,
            access=observability.log.access,
            secret_names=(config.auth.key.header, config.auth.key.query),
        )
        self.metrics = Metrics(buckets=observability.metrics.buckets, region=context.region.reopened())
        self.activity = Activity(context.activity)
        self.write_batch = WriteBatch()
        self.compressor = Compressor()
        self.unread = UnreadReplies(config.server.limits.unread, self.metrics.replies_not_taken.inc)
        self.upstreams = build_upstreams(config, snapshot.shared_state, self.metrics, SYSTEM_CLOCK, self.write_batch)
        self.health_checks = (
            build_health_checks(config, self.upstreams, snapshot.shared_state, self.metrics, SYSTEM_CLOCK)
            if context.checks_targets
            else []
        )
        self.limiter = self._limiter()
        self.usage = self._usage()
        """Usage on its way to Redis, None where it is not counted. `start` it, and `close` it."""
        self.key_sync = key_sync(config, self.limiter, self.metrics, SYSTEM_CLOCK, logs_commands=context.checks_targets)
        self.spans = self._spans(observability.traces)
        """Spans that wait for their collector, None without one. `start` it, and `close` it."""
        self.query_handlers: dict[str, QueryHandler] = {}
        """Handlers by question; filled by `build_listeners`."""

    def build_listeners(self) -> None:
        """Build the gateway, and the listeners that pass requests to it.

        Raises OSError, for example for a certificate's file.
        """
        gateway = self._gateway()
        config, traces = self.snapshot.config, self.snapshot.config.observability.traces
        ids = Ids(os.urandom, 0.0 if traces is None else traces.sample)
        settings = [setting for setting, _ in self.context.sockets]
        for setting, most in zip(settings, bounds(settings, config.upstreams), strict=True):
            events = ListenerEvents(self.metrics, setting.id, SYSTEM_CLOCK.wall)
            handshake = handshake_options(setting, events)
            request_heads = head_checker(setting, ids, SYSTEM_CLOCK.monotonic, most)
            handle = _handler(setting, gateway.at_listener(setting.id))
            self.listeners.append(
                Listener(
                    request_heads, handle, SYSTEM_CLOCK.wall, self.write_batch, events.rejected, handshake, self.unread
                )
            )

    def beat(self, now_s: float) -> None:
        """Do the periodic work: publish what was counted, and begin or end to leave access lines to a reader.

        `now_s` is a reading of the monotonic clock.
        """
        self.metrics.refresh()
        self.activity.publish(now_s)
        lines = self.context.lines
        if lines.is_followed is not lines.is_writing:
            self.log.access.follow(lines.put if lines.is_followed else None)
            lines.is_writing = lines.is_followed

    @property
    def connections(self) -> int:
        """The number of connections of clients."""
        return sum(len(listener.connections) for listener in self.listeners)

    def _gateway(self) -> Gateway:
        config = self.snapshot.config
        self._watch_gauges()
        snapshot = self.snapshot
        onlookers, about_calls = onlookers_of(snapshot, self.metrics)
        upstreams, document, own_keys = self.upstreams, snapshot.document, self._own_keys()
        table = build_routes(config, upstreams, snapshot.faults, snapshot.requests, onlookers, document, own_keys)
        credentials = self.snapshot.credentials
        stored = None if self.key_sync is None else self.key_sync.keys
        handlers = query_handlers(self.limiter, credentials.keyring, table.routes, stored)
        named = credentials.keyring.named if stored is None else stored.named
        compiled = Compiled(config, table, credentials, self.snapshot.faults, self.upstreams, named)
        errors, before_writes = ErrorLog(self.context.errors), self.write_batch.before_writes
        recorder = Recorder(self.metrics, self.log.access, config.auth.key.query, errors, before_writes)
        recorder.count_activity = self.activity.count
        read_ahead = ReadAhead(config.server.limits.read_ahead)
        if self.spans is not None:
            recorder.export_spans = SpanExport(self.spans.offer, SYSTEM_CLOCK.wall, Ids(os.urandom), self._exemplars())
        captures, recorder.capture = capture_of(config, read_ahead)
        if self.usage is not None:
            recorder.count_usage = UsageCounter(self.usage.counts)
        cache = ReplyCache(table.routes, SYSTEM_CLOCK, recorder.unattended)
        self._watch_cache(cache)
        self.query_handlers = {
            **handlers,
            "connections": connections_query(self.upstreams),
            **about_calls,
            "explain": explain_query(compiled, self.limiter, SYSTEM_CLOCK, stored, self.context.maintenance),
            "purge": purge_query(cache),
            "captures": captures_query(captures),
            "usage": usage_handler(config, SYSTEM_CLOCK.wall),
        }
        if config.redis is not None and self.limiter.call is not None:
            registry = FleetRegistry(self.limiter.call, config.redis.key_prefix)
            self.query_handlers |= {QUESTION: fleet_query(registry, config.redis)}
        return Gateway(
            table=table,
            credentials=credentials,
            limiter=self.limiter,
            recorder=recorder,
            clock=SYSTEM_CLOCK,
            faults=self.snapshot.faults,
            id_field=config.observability.request_id.header,
            callers=stored,
            read_ahead=read_ahead,
            compressor=self.compressor,
            maintenance=self.context.maintenance,
            cache=cache,
            idempotency=self._idempotency(recorder),
        )

    def _own_keys(self) -> OwnKeys | None:
        """Return what shows and rotates keys for their holders, None where nothing does."""
        redis, call = self.snapshot.config.redis, self.limiter.call
        if self.snapshot.config.server.self_service_path is None or redis is None or call is None:
            return None
        return OwnKeys(KeyWriter(call, redis.key_prefix), SYSTEM_CLOCK.wall, socket.gethostname())

    def _spans(self, traces: TracesSettings | None) -> ExportQueue | None:
        if traces is None:
            return None
        from gateway.tracing.otlp import Collector  # noqa: PLC0415  an extra

        headers = {name: value.get_secret_value() for name, value in traces.headers.items()}
        queue = ExportQueue(Collector(str(traces.endpoint), headers, traces.service_name, __version__).send)
        self.metrics.spans_exported.watch(lambda: float(queue.exported))
        self.metrics.spans_dropped.watch(lambda: float(queue.dropped))
        return queue

    def _exemplars(self) -> Callable[[str, str, float, float], None]:
        """Return what notes the trace of an exchange beside its duration."""
        series = self.metrics.duration_exemplars().labels
        return lambda route, trace_id, total_s, wall_s: series(route).set(trace_id, total_s, wall_s)

    def _usage(self) -> UsageWriter | None:
        usage, redis = self.snapshot.config.observability.usage, self.snapshot.config.redis
        if usage is None or redis is None or self.limiter.call is None:
            return None
        store = UsageStore(redis.key_prefix, usage.retention, usage.max_rows)
        counts, name = UsageCounts(SYSTEM_CLOCK.wall), os.urandom(8).hex()
        writer = UsageWriter(counts, store, self.limiter.call, name, self.context.memory.usage)
        self.metrics.usage_owed.labels().watch(lambda: float(writer.owed_calls))
        return writer

    def _idempotency(self, recorder: Recorder) -> IdempotencyKeys:
        """Return what knows the calls with idempotency keys: by Redis where there is one."""
        redis, memory = self.snapshot.config.redis, MemoryIdempotencyStore(SYSTEM_CLOCK.monotonic)
        if redis is None or self.limiter.call is None:
            keys = partial(IdempotencyKeys, memory, memory, "local")
        else:
            store = RedisIdempotencyStore(self.limiter.call, redis.key_prefix)
            keys = partial(IdempotencyKeys, store, memory, redis.on_failure)
        count = self.metrics.idempotency.labels
        return keys(os.urandom, lambda route, result: count(route, result).inc(), recorder.unattended)

    def _watch_cache(self, cache: ReplyCache) -> None:
        for route, store in cache.stores.items():
            store.on_eviction = self.metrics.cache_evictions.labels(route).inc
            self.metrics.cache_bytes.labels(route).watch(partial(getattr, store, "bytes"))
            self.metrics.cache_entries.labels(route).watch(partial(len, store))

    def _limiter(self) -> Limiter:
        redis = self.snapshot.config.redis
        if redis is None:
            return LocalLimiter(SYSTEM_CLOCK)
        url, more = redis.login_url(), more_scripts(self.snapshot.config)
        limiter = partial(
            RedisLimiter, more_scripts=more, workers=self.context.workers, memory=self.context.memory.outage
        )
        return limiter(url, redis.key_prefix, redis.timeout, redis.on_failure, SYSTEM_CLOCK, self._redis_changed)

    def _redis_changed(self, *, up: bool, reason: str) -> None:
        self.context.heartbeat.redis_up = up
        self.metrics.redis_up.labels().set(up)
        self.metrics.redis_state_changes.labels("up" if up else "down").inc()
        if up:
            structlog.get_logger().info("redis is up")
        else:
            ways = ", ".join(sorted(self.snapshot.config.ways_without_redis()))
            structlog.get_logger().warning("redis is away", reason=reason, on_failure=ways)

    def _watch_gauges(self) -> None:
        """Connect the gauges that are read at each scrape to what they show."""
        metrics = self.metrics
        metrics.client_connections.watch(lambda: float(self.connections))
        metrics.unread_bytes.watch(lambda: float(self.unread.total))
        metrics.log_dropped.watch(lambda: float(self.log.writer.dropped))
        for upstream in self.upstreams.values():
            for state in ("idle", "active", "pending"):
                metrics.upstream_connections.labels(upstream.id, state).watch(partial(getattr, upstream, state))
        if self.snapshot.config.redis is not None:
            metrics.redis_up.labels().set(0)
            metrics.quota_owed.labels().watch(partial(getattr, self.limiter, "owed"))
            metrics.quota_lost.labels().watch(partial(getattr, self.limiter, "lost"))


def _handler(setting: ListenerSettings, gateway: Gateway) -> ServeExchange:
    return (gateway if setting.redirect is None else gateway.redirecting(setting.redirect_port)).handle
