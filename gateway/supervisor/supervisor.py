"""The process that owns what must outlive a worker."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import MutableMapping
from functools import partial
from pathlib import Path

import structlog

from gateway import __version__
from gateway.admin.listener import Admin
from gateway.edge.connection_limits import raise_descriptors
from gateway.net.listen import bind, spelled
from gateway.observe.direct_writer import DirectWriter
from gateway.observe.log import Log, announce
from gateway.observe.node_metrics import NodeMetrics
from gateway.observe.shared_memory import Region
from gateway.settings import Config, ConfigError
from gateway.supervisor.admin_views import changes, views
from gateway.supervisor.coalesce import Coalescer
from gateway.supervisor.cpu_count import count_of
from gateway.supervisor.file_watch import Watch
from gateway.supervisor.hot_restart import Succession
from gateway.supervisor.inherited_sockets import ADMIN, Will, inherit, succeed
from gateway.supervisor.listening_sockets import Sockets
from gateway.supervisor.node_log import node_log
from gateway.supervisor.signal_handlers import obey, unless
from gateway.supervisor.status import show
from gateway.supervisor.systemd import Notifier
from gateway.supervisor.worker_pool import WorkerPool
from gateway.supervisor.worker_process import WorkerProcess, WorkerStartError
from gateway.system.signals import STOPS
from gateway.table.snapshot import ConfigSource, Snapshot, compile_snapshot
from gateway.worker.worker import SYSTEM

TICK_S = 0.25
PROGRESS_S = 3.0
READ_WITHIN_S = 60.0
"""How long a reload may take to read and to compile its files: a network file system may never answer."""
_STDOUT = 1


class Supervisor:
    """Serves `snapshot` until it is told to stop; `reread` gives the configuration as it is now, or raises ConfigError.

    A worker whose loop stands still for `stuck_after_s` is replaced. When the file `watched` changes, it is as if somebody
    had asked for a reload.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        reread: ConfigSource,
        stuck_after_s: float,
        environ: MutableMapping[str, str],
        watched: Path | None,
    ) -> None:
        self.snapshot = snapshot
        self._reread = reread
        self._watch = None if watched is None else Watch(watched, snapshot.config.include)
        self.metrics = NodeMetrics(Region.shared())
        self._environ = environ
        self._inheritance = inherit(environ)
        self._notifier = Notifier(environ)
        self.sockets = Sockets(self._inheritance.sockets, self._inheritance.lasting)
        self.pool = WorkerPool(self.sockets, self.metrics, stuck_after_s)
        self._reloads = Coalescer(self._reload)
        self._reload_due = False
        self._succession = Succession(self._handover_state, self._give_way, alone=self._inheritance.predecessor is None)
        self.admin = self._admin(snapshot.config)
        self._admin_sock: socket.socket | None = None
        self._reasons = ["starting"]
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._output = DirectWriter(_STDOUT)
        self._handles: list[asyncio.TimerHandle] = []

    async def serve(self) -> int:
        """The exit code, in the end. Raises OSError when an address or a file cannot be had."""
        config = self.snapshot.config
        changing = {signal.SIGHUP: self._reloads.ask, signal.SIGUSR2: self._hand_over, signal.SIGCHLD: self.pool.reap}
        obey({**changing, **dict.fromkeys(STOPS, self._on_stop)})
        raise_descriptors()
        self.sockets.provide(config.server.listeners, count_of(config))
        (self._admin_sock,) = self.sockets.inherited.pop(_admin_name(config), None) or [bind(config.admin.address, alone=True).sock]
        self.sockets.disown()
        log = node_log(config, self._output)
        try:
            if self._inheritance.predecessor is None:
                await self.admin.start(self._admin_sock)
            self._tick(SYSTEM.monotonic())
            self.pool.show(self._inheritance.regions)
            members = await self._first_members()
            if members is None:
                structlog.get_logger().info("stopped before it served")
                return 0
            self._in_force()
            self._reasons.remove("starting")
            if self._inheritance.predecessor is not None:
                await self.pool.succeed(members, 0.0)
                await succeed(self._inheritance.predecessor, partial(self.admin.start, self._admin_sock), self._inherit_rest)
            self._announce(members[0].limiter)
            if self._inheritance.predecessor is None:
                await self.pool.succeed(members, 0.0)
            self._notifier.tell("READY=1", f"MAINPID={os.getpid()}")
            async with self._reloads.taken():
                await self._stop.wait()
            await self._drain()
            return 0
        finally:
            await self._close(log)

    async def _first_members(self) -> dict[int, WorkerProcess] | None:
        """None when it is told to stop before they are ready. Raises OSError."""
        try:
            return await unless(self._stop, self.pool.raise_(self.snapshot, count_of(self.snapshot.config)))
        except WorkerStartError as error:
            raise OSError(error.errno, str(error)) from error

    def _announce(self, limiter: str) -> None:
        config = self.snapshot.config
        assert self._admin_sock is not None
        announce(
            config=self.snapshot.source,
            listeners=self.sockets.addresses(config.server.listeners),
            admin=spelled(self._admin_sock),
            limiter=limiter,
            routes=len(config.routes),
            keys=len(config.keys),
            workers=count_of(config),
            version=__version__,
        )

    def _inherit_rest(self) -> None:
        self.pool.take_over()
        self._succession.alone.set()

    def _hand_over(self) -> None:
        if "starting" in self._reasons:
            structlog.get_logger().error("no hand-over: this program has not started yet")
        elif not self._stop.is_set():
            self.pool.later(self._succession.execute())

    def _handover_state(self) -> Will:
        assert self._admin_sock is not None
        self.sockets.reopen(self.snapshot.config.server.listeners)
        sockets = self.sockets.open | {_admin_name(self.snapshot.config): [self._admin_sock]}
        will = Will(sockets, [self.metrics.region, *self.pool.regions], self._environ, self.sockets.lasting)
        self.pool.spared.add(will.pid)
        return will

    async def _give_way(self, will: Will) -> None:
        if self._reload_due:  # whoever serves is meant
            os.kill(will.pid, signal.SIGHUP)
        await self.admin.close()
        self.metrics.region.writer_exited()
        self._notifier.tell(f"MAINPID={will.pid}")
        await will.execute()
        self._stop.set()

    async def _reload(self) -> list[str]:
        """All or nothing. What is wrong, if anything is."""
        self._reload_due = True
        async with self._succession.changing:
            self._reload_due = False
            self._notifier.reloading(SYSTEM.monotonic())
            problems = await self._read_and_replace()
            self._notifier.tell("READY=1")
            return problems

    async def _read_and_replace(self) -> list[str]:
        log, metrics = structlog.get_logger(), self.metrics
        try:
            reading = self.pool.threads.run(lambda: compile_snapshot(*self._reread(), self.snapshot.source))
            snapshot = await asyncio.wait_for(reading, READ_WITHIN_S)
            await self._replace(snapshot)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
        except TimeoutError as error:
            problems = [str(error) or f"the files were not read within {READ_WITHIN_S:g} s"]
        except (OSError, WorkerStartError, UnicodeError) as error:
            problems = [str(error)]
        else:
            metrics.reloads.labels("success").inc()
            log.info("reloaded", config=snapshot.source, routes=len(snapshot.config.routes), keys=len(snapshot.config.keys))
            return []
        for problem in problems:
            log.error("configuration refused", problem=problem)
        metrics.reload_successful.set(0)
        metrics.reloads.labels("failure").inc()
        return problems

    async def _replace(self, snapshot: Snapshot) -> None:
        """Raises OSError or WorkerStartError, and then all is as before."""
        before, config = self.snapshot.config, snapshot.config
        count = count_of(config)
        admin, admin_sock = self.admin, self._admin_sock
        if config.admin.address != before.admin.address:
            admin, admin_sock = self._admin(config), bind(config.admin.address, alone=True).sock
            await admin.start(admin_sock)
        try:
            self.sockets.provide(config.server.listeners, count)
            try:
                members = await self.pool.raise_(snapshot, count)
            except BaseException:
                self.sockets.release(before.server.listeners)
                raise
        except BaseException:
            if admin is not self.admin:
                await admin.close()
            raise
        snapshot.shared_state.adopt(self.snapshot.shared_state)
        await self.pool.succeed(members, before.server.drain_timeout)
        self.sockets.release(config.server.listeners)
        self.snapshot = snapshot
        if admin is not self.admin:
            admin, self.admin, self._admin_sock = self.admin, admin, admin_sock
            await admin.close()
        self.admin.token, self.admin.hosts = _token(config), config.admin.hosts
        self._in_force()

    def _in_force(self) -> None:
        show(self.snapshot, self.metrics, SYSTEM)
        if self._watch is not None:
            self._watch.patterns = self.snapshot.config.include
        self.metrics.reload_successful.set(1)
        self.metrics.reload_at.set(SYSTEM.wall())

    async def _drain(self) -> None:
        """Readiness fails, new requests are taken a little longer, those in flight finish."""
        server, log = self.snapshot.config.server, structlog.get_logger()
        self._reasons.append("draining")
        delay_s = 0.0 if self._succession.over else server.drain_delay
        log.info("draining", in_flight=self._in_flight(), delay_s=delay_s, timeout_s=server.drain_timeout)
        if not self._succession.over:
            self._notifier.tell("STOPPING=1")
        self.pool.part()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), delay_s)
        self.pool.cut = 0
        self._handles.append(asyncio.get_running_loop().call_later(PROGRESS_S, self._tell_progress))
        await self.pool.drain(server.drain_timeout, self._hurry, last=not self._succession.over)
        log.info("stopped", connections_cut=self.pool.cut)

    def _tell_progress(self) -> None:
        connections = sum(worker.heartbeat.connections for worker in self.pool.everybody)
        structlog.get_logger().info("still draining", in_flight=self._in_flight(), connections=connections)
        self._handles.append(asyncio.get_running_loop().call_later(PROGRESS_S, self._tell_progress))

    def _in_flight(self) -> int:
        return sum(worker.heartbeat.in_flight for worker in self.pool.everybody)

    async def _close(self, log: Log) -> None:
        for worker in self.pool.everybody:
            worker.replace = False
            worker.kill()
        for handle in self._handles:
            handle.cancel()
        await self.admin.close()
        if not self._succession.over:
            self.sockets.release([])
        log.close()

    def _on_stop(self) -> None:
        (self._hurry if self._stop.is_set() else self._stop).set()

    def _tick(self, due: float) -> None:
        """What a clock has to do."""
        now = SYSTEM.monotonic()
        self._output.flush()
        self._notifier.alive(now)
        if self._watch is not None:
            self.pool.later(self._watch.look(self.pool.threads, self._reloads.ask))
        self.pool.reap()
        if now - due < TICK_S and not self._succession.over:  # who was asleep himself, with the whole machine perhaps, judges nobody
            self.pool.look_around(now)
        self._handles[:1] = [asyncio.get_running_loop().call_later(TICK_S, self._tick, now + TICK_S)]

    def _readiness(self) -> tuple[bool, list[str]]:
        reasons = self._reasons or self.pool.not_ready_reasons
        return not reasons, reasons

    def _admin(self, config: Config) -> Admin:
        admin = Admin(str(config.admin.address), self.metrics, self._readiness, _token(config), config.admin.hosts)
        admin.views |= views(lambda: self.snapshot, self.pool)
        admin.changes |= changes(self._reloads.ask, self.pool)
        return admin


def _admin_name(config: Config) -> str:
    return f"{ADMIN}@{config.admin.address}"


def _token(config: Config) -> str | None:
    return None if config.admin.token is None else config.admin.token.get_secret_value()
