"""The process that owns everything that has to survive a worker."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, MutableMapping
from functools import partial
from pathlib import Path

import structlog

from gateway import __version__
from gateway.admin.listener import AdminListener
from gateway.audit.actors import local_cause
from gateway.edge.connection_limits import raise_descriptors
from gateway.history.node_history import NodeHistory
from gateway.net.listen import bind, spelled
from gateway.observe.direct_writer import DirectWriter
from gateway.observe.log import Log, announce, installed_log
from gateway.observe.node_metrics import NodeMetrics
from gateway.observe.shared_memory import Region
from gateway.settings import Config
from gateway.supervisor.admin_views import add_pages, audit_trail, fleet_membership
from gateway.supervisor.coalesce import Coalescer
from gateway.supervisor.cpu_count import count_of
from gateway.supervisor.file_watch import FileWatch
from gateway.supervisor.hot_restart import HotRestart
from gateway.supervisor.inherited_sockets import ADMIN, Successor, inherit, take_over_from
from gateway.supervisor.listening_sockets import Sockets
from gateway.supervisor.reload import RecordedReloads, Reloader, snapshot_of
from gateway.supervisor.signal_handlers import handle_signals, unless
from gateway.supervisor.status import show
from gateway.supervisor.worker_pool import WorkerPool
from gateway.supervisor.worker_process import WorkerProcess, WorkerStartError
from gateway.system.clock import SYSTEM_CLOCK
from gateway.system.signals import STOPS
from gateway.system.systemd import Notifier
from gateway.table.snapshot import ConfigSource, Snapshot

TICK_S = 0.25
PROGRESS_S = 3.0
_STDOUT = 1


class Supervisor:
    """Serves `snapshot` until a signal to stop; `reread` returns the configuration as it is now, or raises ConfigError.

    A worker whose event loop is blocked for `stuck_after_s` is replaced. A change of the file `watched` causes a
    reload.
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
        self._watch = None if watched is None else FileWatch(watched, snapshot.config.include)
        self.metrics = NodeMetrics(Region.shared())
        self._environ = environ
        self._inherited = inherit(environ)
        self._notifier = Notifier(environ)
        self.sockets = Sockets(self._inherited.sockets, self._inherited.lasting)
        self.pool = WorkerPool(self.sockets, self.metrics, stuck_after_s)
        self._fleet = fleet_membership(lambda: self.snapshot, self.pool.queryable, lambda: self.admin.address)
        self.pool.switch = self._inherited.switch
        self.history = NodeHistory(SYSTEM_CLOCK, self.pool)
        self._restart = HotRestart(self._start_successor, self._give_way, alone=self._inherited.predecessor is None)
        self._reloader = Reloader(
            lambda: snapshot_of(*reread(), self.snapshot.source),
            self._replace,
            self._restart.changing,
            self.pool.threads,
            self.metrics,
            self._notifier,
            self.history.refused,
        )
        self._coalescer = Coalescer(self._reloader.reload)
        self._audit = audit_trail(lambda: self.snapshot, self.pool)
        self._reloads = RecordedReloads(self._coalescer, self._audit.trail, lambda: self.snapshot.digest)
        self.admin = self._admin(snapshot.config)
        self._admin_sock: socket.socket | None = None
        self._not_ready_reasons = ["starting"]
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._output = DirectWriter(_STDOUT)
        self._handles: list[asyncio.TimerHandle] = []

    async def serve(self) -> int:
        """Return the exit code when the gateway has been drained.

        Raises OSError when an address or a file is not available.
        """
        config = self.snapshot.config
        changing: dict[signal.Signals, Callable[[], object]] = {
            signal.SIGHUP: partial(self._reloads.request, local_cause("SIGHUP")),
            signal.SIGUSR2: self._hand_over,
            signal.SIGCHLD: self._reap,
        }
        handle_signals({**changing, **dict.fromkeys(STOPS, self._on_stop)})
        raise_descriptors()
        self.sockets.provide(config.server.listeners, count_of(config))
        (self._admin_sock,) = self.sockets.inherited.pop(_admin_name(config), None) or [
            bind(config.admin.address, alone=True).sock
        ]
        self.sockets.close_unused()
        log = installed_log(config, SYSTEM_CLOCK.wall, self._output)
        try:
            if self._inherited.predecessor is None:
                await self.admin.start(self._admin_sock)
            self._tick(SYSTEM_CLOCK.monotonic())
            self.pool.metric_regions.add_foreign(self._inherited.regions)
            members = await self._first_members()
            if members is None:
                structlog.get_logger().info("stopped before it served")
                return 0
            self._in_force()
            self._not_ready_reasons.remove("starting")
            if self._inherited.predecessor is not None:
                await self.pool.switch_to(members, 0.0)
                begin = partial(self.admin.start, self._admin_sock)
                await take_over_from(self._inherited.predecessor, begin, self._on_predecessor_ended)
            self._announce(members[0].limiter)
            if self._inherited.predecessor is None:
                await self.pool.switch_to(members, 0.0)
            self._notifier.notify("READY=1", f"MAINPID={os.getpid()}")
            async with self._coalescer.running():
                await self._stop.wait()
            await self._drain()
            return 0
        finally:
            await self._close(log)

    async def _first_members(self) -> dict[int, WorkerProcess] | None:
        """Start the first workers. Returns None if a signal to stop arrives before they are ready. Raises OSError."""
        try:
            return await unless(self._stop, self.pool.start_generation(self.snapshot, count_of(self.snapshot.config)))
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
            keys=config.key_count(),
            workers=count_of(config),
            version=__version__,
        )

    def _on_predecessor_ended(self) -> None:
        self.pool.metric_regions.adopt_foreign()
        self._restart.alone.set()

    def _hand_over(self) -> None:
        if "starting" in self._not_ready_reasons:
            structlog.get_logger().error("no hand-over: this program has not started yet")
        elif not self._stop.is_set():
            self.pool.run_in_background(self._restart.execute())

    def _start_successor(self) -> Successor:
        assert self._admin_sock is not None
        self.sockets.reopen(self.snapshot.config.server.listeners)
        sockets = self.sockets.open | {_admin_name(self.snapshot.config): [self._admin_sock]}
        lasting, maintenance = self.sockets.lasting, self.pool.switch.fd
        successor = Successor(sockets, [self.metrics.region, *self.pool.regions], self._environ, lasting, maintenance)
        self.pool.spared.add(successor.pid)
        return successor

    async def _give_way(self, successor: Successor) -> None:
        if self._reloader.due:  # the reload was requested of whichever program serves
            os.kill(successor.pid, signal.SIGHUP)
        await self.admin.close()
        self.metrics.region.writer_exited()
        self._notifier.notify(f"MAINPID={successor.pid}")
        await successor.take_over()
        self._stop.set()

    async def _replace(self, snapshot: Snapshot) -> None:
        """Put `snapshot` into force. Raises OSError or WorkerStartError, and has then changed nothing."""
        before, config = self.snapshot.config, snapshot.config
        count = count_of(config)
        admin, admin_sock = self.admin, self._admin_sock
        if config.admin.address != before.admin.address:
            admin, admin_sock = self._admin(config), bind(config.admin.address, alone=True).sock
            await admin.start(admin_sock)
        try:
            self.sockets.provide(config.server.listeners, count)
            try:
                members = await self.pool.start_generation(snapshot, count)
            except BaseException:
                self.sockets.release(before.server.listeners)
                raise
        except BaseException:
            if admin is not self.admin:
                await admin.close()
            raise
        snapshot.shared_state.adopt(self.snapshot.shared_state, SYSTEM_CLOCK.monotonic())
        await self.pool.switch_to(members, before.server.drain_timeout)
        self.sockets.release(config.server.listeners)
        self.snapshot = snapshot
        if admin is not self.admin:
            admin, self.admin, self._admin_sock = self.admin, admin, admin_sock
            await admin.close()
        self.admin.restrict(config.admin_token(), config.admin.hosts, config.admin_addresses())
        self._in_force()

    def _in_force(self) -> None:
        show(self.snapshot, self.metrics, SYSTEM_CLOCK)
        if self._watch is not None:
            self._watch.patterns = self.snapshot.config.include
        self.metrics.reload_successful.set(1)
        self.metrics.reload_at.set(SYSTEM_CLOCK.wall())

    async def _drain(self) -> None:
        """Report that it is not ready, accepts requests for `drain_delay`, and then waits for those in flight."""
        server, log = self.snapshot.config.server, structlog.get_logger()
        self._not_ready_reasons.append("draining")
        delay_s = 0.0 if self._restart.over else server.drain_delay
        hint = {} if self._restart.over else {"hint": "a second Ctrl-C or SIGTERM ends it at once"}
        log.info("draining", in_flight=self._in_flight(), delay_s=delay_s, timeout_s=server.drain_timeout, **hint)
        if not self._restart.over:
            self._notifier.notify("STOPPING=1")
        self.pool.disable_keep_alive()
        await self._fleet.leave()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), delay_s)
        self.pool.cut = 0
        self._handles.append(asyncio.get_running_loop().call_later(PROGRESS_S, self._log_progress))
        await self.pool.drain(server.drain_timeout, self._hurry, last=not self._restart.over)
        log.info("stopped", connections_cut=self.pool.cut)

    def _log_progress(self) -> None:
        connections = sum(worker.heartbeat.connections for worker in self.pool.everybody)
        structlog.get_logger().info("still draining", in_flight=self._in_flight(), connections=connections)
        self._handles.append(asyncio.get_running_loop().call_later(PROGRESS_S, self._log_progress))

    def _in_flight(self) -> int:
        return sum(worker.heartbeat.in_flight for worker in self.pool.everybody)

    async def _close(self, log: Log) -> None:
        for worker in self.pool.everybody:
            worker.replace = False
            worker.kill()
        for handle in self._handles:
            handle.cancel()
        await self.admin.close()
        await self._audit.close()
        if not self._restart.over:
            self.sockets.release([])
        log.close()

    def _on_stop(self) -> None:
        (self._hurry if self._stop.is_set() else self._stop).set()

    def _tick(self, due: float) -> None:
        """Do the periodic work, every TICK_S."""
        now = SYSTEM_CLOCK.monotonic()
        self._output.flush()
        self._notifier.alive(now)
        if self._watch is not None:
            changed = partial(self._reloads.request, local_cause("file watch"))
            self.pool.run_in_background(self._watch.check(self.pool.threads, changed))
        if not self._not_ready_reasons:
            self.pool.run_in_background(self._fleet.tick())
        self._reap()
        # After a pause of this process, as when the machine was suspended, workers only seem to hang.
        if now - due < TICK_S and not self._restart.over:
            self.pool.check_workers(now)
        self._handles[:1] = [asyncio.get_running_loop().call_later(TICK_S, self._tick, now + TICK_S)]

    def _reap(self) -> None:
        self.history.collect(self.snapshot)  # before, so that it reads what a worker has left
        self.pool.reap()

    def _readiness(self) -> tuple[bool, list[str]]:
        reasons = self._not_ready_reasons or self.pool.not_ready_reasons
        return not reasons, reasons

    def _admin(self, config: Config) -> AdminListener:
        admin = AdminListener(str(config.admin.address), self.metrics, self._readiness)
        admin.restrict(config.admin_token(), config.admin.hosts, config.admin_addresses())
        add_pages(
            admin, lambda: self.snapshot, self.pool, self._audit, self._fleet, self.history, self._reloads.request
        )
        return admin


def _admin_name(config: Config) -> str:
    return f"{ADMIN}@{config.admin.address}"
