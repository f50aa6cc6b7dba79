"""One worker: a Config becomes a running gateway, until it is told to stop."""

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import structlog
import uvloop

from gateway import __version__
from gateway.admin import Admin
from gateway.edge import Listener
from gateway.edge.door import Door, Limits
from gateway.edge.sockets import Bound, bind_all
from gateway.edge.terms import networks, threshold
from gateway.exchange import Exchange, Send
from gateway.kernel.clock import Clock
from gateway.kernel.ids import Ids
from gateway.observe.log import Log, announce
from gateway.observe.metrics import Metrics
from gateway.observe.series import Counter
from gateway.pipeline import Gateway, Redirection
from gateway.remote.limiter import Limiter
from gateway.remote.local import LocalLimiter
from gateway.remote.outbox import Outbox
from gateway.remote.redis_limiter import RedisLimiter
from gateway.remote.tls import TLS
from gateway.remote.upstream import Upstream
from gateway.settings import Config
from gateway.settings.schema.addresses import UNIX
from gateway.settings.schema.routing import Upstream as UpstreamSetting
from gateway.settings.schema.server import Listener as ListenerSetting
from gateway.stages.record import Recorder
from gateway.table.build import build_credentials, build_faults, build_routes

SYSTEM = Clock(time.monotonic, time.time)
DRAIN_POLL_S = 0.05
CUT_WITHIN_S = 2.0
"""For the answers to requests that were not waited for."""
GC_ALLOCATIONS = 20_000


def run(config: Config, *, source: str) -> int:
    """Serve `config` until SIGTERM or SIGINT, then drain; returns the exit code. `source` names it in the log.

    Raises OSError when an address cannot be had, or a file that the configuration names cannot be read.
    """
    worker = Worker(config, source)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(worker.serve())


class Worker:
    """Everything that one process runs, wired together."""

    def __init__(self, config: Config, source: str) -> None:
        self.config = config
        self.source = source
        self.listeners: list[Listener] = []
        self.addresses: list[str] = []
        self.bound: list[Bound] = []
        observability = config.observability
        self.log = Log(
            SYSTEM.wall,
            format=observability.log.format,
            level=observability.log.level,
            access=observability.log.access,
            secret_names=(config.auth.key.header, config.auth.key.query),
        )
        self.metrics = Metrics(buckets=observability.metrics.buckets)
        self.outbox = Outbox()
        self.upstreams = {upstream.id: self._upstream(upstream) for upstream in config.upstreams}
        self.limiter = self._limiter()
        self.admin = Admin(str(config.admin.address), self.metrics, self._readiness)
        self._reasons = ["starting"]
        self._announced = False
        self._redis_reason = ""
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def serve(self) -> int:
        """Start, wait for the signal to stop, drain."""
        self.bound = bind_all(self.config.server.listeners)
        self.log.install()
        self.log.start()
        gateway = self._gateway()
        ids = Ids(os.urandom)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        try:
            if isinstance(self.limiter, RedisLimiter):
                await self.limiter.start()
            await self.admin.start()
            for setting, bound in zip(self.config.server.listeners, self.bound, strict=True):
                listener = Listener(
                    _door(setting, ids), _serves(setting, gateway), SYSTEM.wall, self.outbox, threshold(setting, self.metrics, SYSTEM.wall)
                )
                await listener.start(bound.sock)
                self.listeners.append(listener)
                self.addresses.append(bound.name)
            gc.collect()
            gc.freeze()  # what was made until here stays; nobody needs to look through it again
            gc.set_threshold(GC_ALLOCATIONS, 20, 20)
            self._reasons.clear()
            self._announce()
            self._announced = True
            if self._redis_reason:
                self._log_redis(self._redis_reason)
            await self._stop.wait()
            return await self._drain()
        finally:
            await self._close()

    async def _drain(self) -> int:
        """Readiness fails, new requests are taken a little longer, those in flight finish. A second signal ends at once."""
        server, log = self.config.server, structlog.get_logger()
        self._reasons.append("draining")
        log.info("draining", in_flight=int(self.metrics.in_flight.value), delay_s=server.drain_delay, timeout_s=server.drain_timeout)
        for listener in self.listeners:
            listener.draining = True
        await self._pause(server.drain_delay)
        for listener in self.listeners:
            listener.stop_accepting()
        deadline = SYSTEM.monotonic() + server.drain_timeout
        while any(listener.busy for listener in self.listeners) and SYSTEM.monotonic() < deadline and not self._hurry.is_set():
            await self._pause(DRAIN_POLL_S)
        cut = sum(listener.cut() for listener in self.listeners)
        deadline = SYSTEM.monotonic() + CUT_WITHIN_S
        while any(listener.connections for listener in self.listeners) and SYSTEM.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(DRAIN_POLL_S)
        log.info("stopped", connections_cut=cut)
        return 0

    async def _pause(self, seconds: float) -> None:
        """Wait, unless there is a hurry."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    async def _close(self) -> None:
        await self.admin.close()
        for bound in self.bound:
            bound.release()
        for upstream in self.upstreams.values():
            await upstream.close()
        if isinstance(self.limiter, RedisLimiter):
            await self.limiter.close()
        await asyncio.get_running_loop().run_in_executor(None, self.log.close)

    def _on_signal(self) -> None:
        (self._hurry if self._stop.is_set() else self._stop).set()

    def _readiness(self) -> tuple[bool, list[str]]:
        return not self._reasons, self._reasons

    def _gateway(self) -> Gateway:
        config = self.config
        faults = build_faults(config)
        credentials = build_credentials(config)
        table = build_routes(config, self.upstreams, faults)
        digest = sha256(repr(config).encode()).hexdigest()[:12]
        self.metrics.config_loaded(file=self.source, digest=digest, routes=len(table.routes), keys=len(config.keys))
        self._watch()
        return Gateway(
            table=table,
            credentials=credentials,
            limiter=self.limiter,
            recorder=Recorder(self.metrics, self.log.access, config.auth.key.query),
            clock=SYSTEM,
            faults=faults,
            id_field=config.observability.request_id.header,
        )

    def _upstream(self, setting: UpstreamSetting) -> Upstream:
        files = setting.tls
        tls = TLS(_path(files.ca), _path(files.certificate), _path(files.private_key), files.server_name, files.verify)
        return Upstream(
            setting.id,
            str(setting.targets[0].url),
            max_connections=setting.connections.max,
            max_pending=setting.connections.max_pending,
            idle_timeout_s=setting.connections.idle_timeout,
            tls=tls,
            clock=SYSTEM,
            observer=_Retries(self.metrics.upstream_retries.labels(setting.id)),
            outbox=self.outbox,
        )

    def _limiter(self) -> Limiter:
        redis = self.config.redis
        if redis is None:
            return LocalLimiter(SYSTEM)
        return RedisLimiter(redis.url.get_secret_value(), redis.key_prefix, redis.timeout, redis.on_failure, SYSTEM, self._redis_changed)

    def _redis_changed(self, up: bool, reason: str) -> None:
        self.metrics.redis_up.labels().set(up)
        self.metrics.redis_state_changes.labels("up" if up else "down").inc()
        self._redis_reason = reason
        if self._announced:  # the first line is about the gateway, and names the limiter
            self._log_redis(reason)

    def _log_redis(self, reason: str) -> None:
        """One line for each change. `reason` is "" when Redis answers."""
        assert self.config.redis is not None
        if reason:
            structlog.get_logger().warning("redis is away", reason=reason, on_failure=self.config.redis.on_failure)
        else:
            structlog.get_logger().info("redis is up")

    def _watch(self) -> None:
        """Gauges that a scrape asks for."""
        metrics = self.metrics
        metrics.client_connections.watch(lambda: float(sum(len(listener.connections) for listener in self.listeners)))
        metrics.log_dropped.watch(lambda: float(self.log.writer.dropped))
        for upstream in self.upstreams.values():
            for state in ("idle", "active", "pending"):
                metrics.upstream_connections.labels(upstream.id, state).watch(partial(getattr, upstream, state))
        if self.config.redis is not None:
            metrics.redis_up.labels().set(0)

    def _announce(self) -> None:
        announce(
            config=self.source,
            listeners=self.addresses,
            admin=self.admin.address,
            limiter=repr(self.limiter),
            routes=len(self.config.routes),
            keys=len(self.config.keys),
            version=__version__,
        )


class _Retries:
    """Counts what an upstream does unseen."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def connected(self) -> None:
        """Not counted: the pool's size shows it."""

    def retried(self) -> None:
        self._counter.inc()


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _serves(setting: ListenerSetting, gateway: Gateway) -> Callable[[Exchange, Send], Awaitable[None]]:
    return gateway.handle if setting.redirect is None else Redirection(gateway, setting.redirect_port).handle


def _door(setting: ListenerSetting, ids: Ids) -> Door:
    limits = setting.limits
    return Door(
        Limits(limits.header_bytes, limits.url_bytes, limits.body, limits.header_timeout, limits.body_timeout, limits.idle_timeout),
        networks(setting),
        ids,
        SYSTEM.monotonic,
        UNIX in setting.trusted_proxies,
    )
