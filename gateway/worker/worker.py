"""One worker: a Config becomes a running gateway on sockets that somebody else has bound, until it is told to stop."""

import asyncio
import contextlib
import faulthandler
import gc
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import structlog
import uvloop

from gateway.edge import Listener
from gateway.edge.borrowed_sockets import BorrowedSockets
from gateway.edge.connection_limits import bounds
from gateway.edge.from_settings import handshake_options, head_checker
from gateway.edge.listener_events import ListenerEvents
from gateway.edge.unread_replies import UnreadReplies
from gateway.exchange import Exchange, Send
from gateway.kernel.clock import Clock
from gateway.kernel.ids import Ids
from gateway.keystore.reader import SCRIPTS as KEY_SCRIPTS
from gateway.keystore.sync import key_watch
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.outage_memory import OutageMemory
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.net.write_batch import Outbox
from gateway.observe.log import Log
from gateway.observe.metrics import Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRing
from gateway.observe.shared_memory import Region
from gateway.pipeline import Gateway
from gateway.settings.schema.server import ListenerSettings
from gateway.stages.prepare import ReadAhead
from gateway.stages.record import Recorder
from gateway.table.compile import build_routes
from gateway.table.snapshot import Snapshot
from gateway.table.upstreams import build_health_checks, build_upstreams
from gateway.worker.channel import (
    Ask,
    Bequest,
    Channel,
    Cut,
    Failed,
    Go,
    HandoverState,
    Legacy,
    Lend,
    Message,
    Part,
    Ready,
    Retire,
    TakeBack,
    content_of,
)
from gateway.worker.heartbeat import Heartbeat
from gateway.worker.queries import connections_query, query_handlers
from gateway.worker.query_server import QueryServer

SYSTEM = Clock(time.monotonic, time.time)
DRAIN_POLL_S = 0.05
CUT_WITHIN_S = 2.0
"""How long the replies to what a drain did not wait for may take."""
BEAT_S = 0.25
BEATS_REMEMBERED = 60
GC_ALLOCATIONS = 20_000
TELL_WHERE = signal.SIGUSR1
"""At this signal a worker writes where each of its threads stands, even if its loop does not turn."""


class Post(msgspec.Struct, frozen=True):
    """What a worker is given when it begins: `where` is the file for TELL_WHERE, `sockets` are bound, and by listener.

    One of the `workers` of the node `checks` the targets of upstreams. `outage` is where it writes what has to outlive it.
    """

    sockets: list[tuple[ListenerSettings, list[socket.socket]]]
    region: Region
    errors: ErrorRing
    heartbeat: Heartbeat
    control: socket.socket
    where: int
    checks: bool
    workers: int
    outage: OutageMemory


def work(snapshot: Snapshot, post: Post) -> int:
    """A worker's life, in a process of its own; returns its exit code."""
    faulthandler.register(TELL_WHERE, post.where, all_threads=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Worker(snapshot, post).serve())


class Worker:
    """Everything that one process runs, wired together."""

    def __init__(self, snapshot: Snapshot, post: Post) -> None:
        self.snapshot = snapshot
        self.config = config = snapshot.config
        self.post = post
        self.listeners: list[Listener] = []
        observability = config.observability
        self.log = Log(
            SYSTEM.wall,
            format=observability.log.format,
            level=observability.log.level,
            access=observability.log.access,
            secret_names=(config.auth.key.header, config.auth.key.query),
        )
        self.metrics = Metrics(buckets=observability.metrics.buckets, region=post.region.reopened())
        self.outbox = Outbox()
        self.unread = UnreadReplies(config.server.limits.unread, self.metrics.replies_not_taken.inc)
        self.upstreams = build_upstreams(config, snapshot.shared_state, self.metrics, SYSTEM, self.outbox)
        self.rounds = build_health_checks(config, self.upstreams, snapshot.shared_state, self.metrics, SYSTEM) if post.checks else []
        self.limiter = self._limiter()
        self.key_watch = key_watch(config, self.limiter, self.metrics, SYSTEM)
        self.channel = Channel(post.control)
        self._borrowed = BorrowedSockets(self.listeners)
        self._lags: deque[float] = deque(maxlen=BEATS_REMEMBERED)
        self._go = asyncio.Event()
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._retire = Retire(config.server.drain_timeout, successor=False)

    async def serve(self) -> int:
        """Get ready, wait for the word, serve, wait for the word to stop, drain."""
        self.channel.start(self._on_message, self._end)
        self.log.install()
        try:
            try:
                self._open_listeners(self._gateway())
                if isinstance(self.limiter, RedisLimiter):
                    await self.limiter.start()
                if self.key_watch is not None:
                    self.key_watch.start()
            except OSError as error:
                self.channel.send(Failed(f"{error.filename}: {error.strerror}" if error.filename else str(error), error.errno or 0))
                return 1
            self._beat(SYSTEM.monotonic())
            self._settle()
            self.channel.send(Ready(repr(self.limiter)))
            await self._go.wait()
            self.log.start()  # what was logged until here waits, so that the supervisor's first line is the first one
            if not self._stop.is_set():
                await self._listen()
            await self._stop.wait()
            await self._drain()
            return 0
        finally:
            await self._close()

    def _open_listeners(self, gateway: Gateway) -> None:
        """All that can fail of them: raises OSError."""
        ids = Ids(os.urandom)
        settings = [setting for setting, _ in self.post.sockets]
        for setting, most in zip(settings, bounds(settings, self.config.upstreams), strict=True):
            listener_events = ListenerEvents(self.metrics, setting.id, SYSTEM.wall)
            before = handshake_options(setting, listener_events)
            way_in = head_checker(setting, ids, SYSTEM.monotonic, most)
            serve = _serves(setting, gateway)
            self.listeners.append(Listener(way_in, serve, SYSTEM.wall, self.outbox, listener_events.rejected, before, self.unread))

    async def _listen(self) -> None:
        for rounds in self.rounds:
            rounds.start()
        for listener, (_, sockets) in zip(self.listeners, self.post.sockets, strict=True):
            for sock in sockets:
                await listener.start(sock)

    async def _drain(self) -> None:
        """Requests in flight finish, until the time is up or there is a hurry."""
        for rounds in self.rounds:
            await rounds.stop()
        for number, listener in enumerate(self.listeners):
            listener.stop_accepting(last=number in self._retire.last)
        if self._retire.successor:
            self._handover_state()
        deadline = SYSTEM.monotonic() + self._retire.timeout_s
        await asyncio.sleep(DRAIN_POLL_S)  # what was accepted last is not among the connections yet
        while any(listener.busy for listener in self.listeners) and SYSTEM.monotonic() < deadline and not self._hurry.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), DRAIN_POLL_S)
        self.post.heartbeat.cut = sum(listener.cut() for listener in self.listeners)
        deadline = SYSTEM.monotonic() + CUT_WITHIN_S
        while any(listener.connections for listener in self.listeners) and SYSTEM.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(DRAIN_POLL_S)

    async def _close(self) -> None:
        for upstream in self.upstreams.values():
            await upstream.close()
        if self.key_watch is not None:
            await self.key_watch.close()
        if isinstance(self.limiter, RedisLimiter):
            await self.limiter.close()
        await asyncio.get_running_loop().run_in_executor(None, self.log.close)
        self.metrics.refresh()
        self.channel.close()

    def _on_message(self, message: Message, fds: list[int]) -> None:
        if isinstance(message, Go | Bequest):
            for fd in fds:
                self._adopt(msgspec.msgpack.decode(content_of(fd), type=HandoverState))
            if isinstance(message, Go):
                self._go.set()
        elif isinstance(message, Part):
            for listener in self.listeners:
                listener.draining = True
        elif isinstance(message, Lend):
            self._borrowed.take(message.slot, message.listener, fds)
        elif isinstance(message, TakeBack):
            self._borrowed.give_back(message.slot)
        elif isinstance(message, Ask):
            self._query_server.take(message)
        elif isinstance(message, Retire):
            self._retire = message
            self._end()
        elif isinstance(message, Cut):
            self._hurry.set()
            self._end()

    def _end(self) -> None:
        """We were told to, or nobody will tell us anything any more."""
        self._stop.set()
        self._go.set()

    def _handover_state(self) -> None:
        """From here on the heir decides, beginning with what we knew."""
        keys = b"" if self.key_watch is None else self.key_watch.keys.export()
        outage = self.limiter.hand_over() if isinstance(self.limiter, RedisLimiter) else b""
        limits = b"" if outage else self._memory().export()
        self.channel.send_file(Legacy(), msgspec.msgpack.encode(HandoverState(limits, keys, outage)))

    def _adopt(self, estate: HandoverState) -> None:
        if estate.limits:
            self._memory().adopt(estate.limits)
        if estate.outage and isinstance(self.limiter, RedisLimiter):
            self.limiter.adopt(estate.outage, share_only=estate.share_only)
        if self.key_watch is not None and estate.keys:
            self.key_watch.keys.adopt(estate.keys)

    def _memory(self) -> LocalLimiter:
        """The limiter that dies with this process."""
        return self.limiter.fallback.memory if isinstance(self.limiter, RedisLimiter) else self.limiter

    def _beat(self, due: float) -> None:
        now = SYSTEM.monotonic()
        self._lags.append(max(now - due, 0.0))
        self.post.heartbeat.beat(now, max(self._lags), self._connections(), int(self.metrics.in_flight.value))
        self.metrics.refresh()
        asyncio.get_running_loop().call_later(BEAT_S, self._beat, now + BEAT_S)

    def _connections(self) -> int:
        return sum(len(listener.connections) for listener in self.listeners)

    def _settle(self) -> None:
        """What was made until here stays; nobody needs to look through it again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_ALLOCATIONS, 20, 20)

    def _gateway(self) -> Gateway:
        config = self.config
        self._watch()
        table = build_routes(config, self.upstreams, self.snapshot.faults)
        credentials = self.snapshot.credentials
        stored = None if self.key_watch is None else self.key_watch.keys
        about_limits = query_handlers(self.limiter, credentials.keyring, table.routes, stored)
        self._query_server = QueryServer(self.channel, {**about_limits, "connections": connections_query(self.upstreams)})
        return Gateway(
            table=table,
            credentials=credentials,
            limiter=self.limiter,
            recorder=Recorder(self.metrics, self.log.access, config.auth.key.query, ErrorLog(self.post.errors, SYSTEM.wall)),
            clock=SYSTEM,
            faults=self.snapshot.faults,
            id_field=config.observability.request_id.header,
            callers=stored,
            read_ahead=ReadAhead(config.server.limits.read_ahead),
        )

    def _limiter(self) -> LocalLimiter | RedisLimiter:
        redis = self.config.redis
        if redis is None:
            return LocalLimiter(SYSTEM)
        url, more = redis.login_url(), () if self.config.key_store is None else KEY_SCRIPTS
        limiter = partial(RedisLimiter, more_scripts=more, workers=self.post.workers, memory=self.post.outage)
        return limiter(url, redis.key_prefix, redis.timeout, redis.on_failure, SYSTEM, self._redis_changed)

    def _redis_changed(self, up: bool, reason: str) -> None:
        self.post.heartbeat.redis_up = up
        self.metrics.redis_up.labels().set(up)
        self.metrics.redis_state_changes.labels("up" if up else "down").inc()
        if up:
            structlog.get_logger().info("redis is up")
        else:
            structlog.get_logger().warning("redis is away", reason=reason, on_failure=", ".join(sorted(self.config.ways_without_redis())))

    def _watch(self) -> None:
        """Gauges that a scrape asks for."""
        metrics = self.metrics
        metrics.client_connections.watch(lambda: float(self._connections()))
        metrics.unread_bytes.watch(lambda: float(self.unread.total))
        metrics.log_dropped.watch(lambda: float(self.log.writer.dropped))
        for upstream in self.upstreams.values():
            for state in ("idle", "active", "pending"):
                metrics.upstream_connections.labels(upstream.id, state).watch(partial(getattr, upstream, state))
        if isinstance(self.limiter, RedisLimiter):
            metrics.redis_up.labels().set(0)
            metrics.quota_owed.labels().watch(partial(getattr, self.limiter.quotas.settlements, "owed"))
            metrics.quota_lost.labels().watch(partial(getattr, self.limiter.quotas.settlements, "lost"))


def _serves(setting: ListenerSettings, gateway: Gateway) -> Callable[[Exchange, Send], Awaitable[None]]:
    return (gateway if setting.redirect is None else gateway.redirecting(setting.redirect_port)).handle
