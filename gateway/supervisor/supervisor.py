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
from gateway.admin import Admin
from gateway.app import SYSTEM
from gateway.edge.room import raise_descriptors
from gateway.edge.sockets import bind, spelled
from gateway.observe.direct import DirectWriter
from gateway.observe.log import Log, announce
from gateway.observe.node import NodeMetrics
from gateway.observe.slots import Region
from gateway.settings import Config, ConfigError
from gateway.supervisor.crew import Crew
from gateway.supervisor.figures import show
from gateway.supervisor.inheritance import ADMIN, Will, inherit, succeed
from gateway.supervisor.node_log import node_log
from gateway.supervisor.notify import Notifier
from gateway.supervisor.processors import count_of
from gateway.supervisor.signals import obey, unless
from gateway.supervisor.sockets import Sockets
from gateway.supervisor.succession import Succession
from gateway.supervisor.turns import Turns
from gateway.supervisor.views import changes, views
from gateway.supervisor.watch import Watch
from gateway.supervisor.worker import StillbornError, WorkerProcess
from gateway.system.signals import STOPS
from gateway.table.blueprint import Blueprint, Reread, draw

TICK_S = 0.25
PROGRESS_S = 3.0
READ_WITHIN_S = 60.0
"""How long a reload may take to read and to compile its files: a network file system may never answer."""
_STDOUT = 1


class Supervisor:
    """Serves `blueprint` until it is told to stop; `reread` gives the configuration as it is now, or raises ConfigError.

    A worker whose loop stands still for `stuck_after_s` is replaced. When the file `watched` changes, it is as if somebody
    had asked for a reload.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        reread: Reread,
        stuck_after_s: float,
        environ: MutableMapping[str, str],
        watched: Path | None,
    ) -> None:
        self.blueprint = blueprint
        self._reread = reread
        self._watch = None if watched is None else Watch(watched, blueprint.config.include)
        self.metrics = NodeMetrics(Region.shared())
        self._environ = environ
        self._inheritance = inherit(environ)
        self._notifier = Notifier(environ)
        self.sockets = Sockets(self._inheritance.sockets, self._inheritance.lasting)
        self.crew = Crew(self.sockets, self.metrics, stuck_after_s)
        self._reloads = Turns(self._reload)
        self._reload_due = False
        self._succession = Succession(self._bequeath, self._give_way, alone=self._inheritance.testator is None)
        self.admin = self._admin(blueprint.config)
        self._admin_sock: socket.socket | None = None
        self._reasons = ["starting"]
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._output = DirectWriter(_STDOUT)
        self._handles: list[asyncio.TimerHandle] = []

    async def serve(self) -> int:
        """The exit code, in the end. Raises OSError when an address or a file cannot be had."""
        config = self.blueprint.config
        changing = {signal.SIGHUP: self._reloads.ask, signal.SIGUSR2: self._hand_over, signal.SIGCHLD: self.crew.reap}
        obey({**changing, **dict.fromkeys(STOPS, self._on_stop)})
        raise_descriptors()
        self.sockets.provide(config.server.listeners, count_of(config))
        (self._admin_sock,) = self.sockets.inherited.pop(_admin_name(config), None) or [bind(config.admin.address, alone=True).sock]
        self.sockets.disown()
        log = node_log(config, self._output)
        try:
            if self._inheritance.testator is None:
                await self.admin.start(self._admin_sock)
            self._tick(SYSTEM.monotonic())
            self.crew.show(self._inheritance.regions)
            members = await self._first_members()
            if members is None:
                structlog.get_logger().info("stopped before it served")
                return 0
            self._in_force()
            self._reasons.remove("starting")
            if self._inheritance.testator is not None:
                await self.crew.succeed(members, 0.0)
                await succeed(self._inheritance.testator, partial(self.admin.start, self._admin_sock), self._inherit_rest)
            self._announce(members[0].limiter)
            if self._inheritance.testator is None:
                await self.crew.succeed(members, 0.0)
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
            return await unless(self._stop, self.crew.raise_(self.blueprint, count_of(self.blueprint.config)))
        except StillbornError as error:
            raise OSError(error.errno, str(error)) from error

    def _announce(self, limiter: str) -> None:
        config = self.blueprint.config
        assert self._admin_sock is not None
        announce(
            config=self.blueprint.source,
            listeners=self.sockets.addresses(config.server.listeners),
            admin=spelled(self._admin_sock),
            limiter=limiter,
            routes=len(config.routes),
            keys=len(config.keys),
            workers=count_of(config),
            version=__version__,
        )

    def _inherit_rest(self) -> None:
        self.crew.take_over()
        self._succession.alone.set()

    def _hand_over(self) -> None:
        if "starting" in self._reasons:
            structlog.get_logger().error("no hand-over: this program has not started yet")
        elif not self._stop.is_set():
            self.crew.later(self._succession.execute())

    def _bequeath(self) -> Will:
        assert self._admin_sock is not None
        self.sockets.reopen(self.blueprint.config.server.listeners)
        sockets = self.sockets.open | {_admin_name(self.blueprint.config): [self._admin_sock]}
        will = Will(sockets, [self.metrics.region, *self.crew.regions], self._environ, self.sockets.lasting)
        self.crew.spared.add(will.pid)
        return will

    async def _give_way(self, will: Will) -> None:
        if self._reload_due:  # whoever serves is meant
            os.kill(will.pid, signal.SIGHUP)
        await self.admin.close()
        self.metrics.region.bereave()
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
            reading = self.crew.threads.run(lambda: draw(*self._reread(), self.blueprint.source))
            blueprint = await asyncio.wait_for(reading, READ_WITHIN_S)
            await self._replace(blueprint)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
        except TimeoutError as error:
            problems = [str(error) or f"the files were not read within {READ_WITHIN_S:g} s"]
        except (OSError, StillbornError, UnicodeError) as error:
            problems = [str(error)]
        else:
            metrics.reloads.labels("success").inc()
            log.info("reloaded", config=blueprint.source, routes=len(blueprint.config.routes), keys=len(blueprint.config.keys))
            return []
        for problem in problems:
            log.error("configuration refused", problem=problem)
        metrics.reload_successful.set(0)
        metrics.reloads.labels("failure").inc()
        return problems

    async def _replace(self, blueprint: Blueprint) -> None:
        """Raises OSError or StillbornError, and then all is as before."""
        before, config = self.blueprint.config, blueprint.config
        count = count_of(config)
        admin, admin_sock = self.admin, self._admin_sock
        if config.admin.address != before.admin.address:
            admin, admin_sock = self._admin(config), bind(config.admin.address, alone=True).sock
            await admin.start(admin_sock)
        try:
            self.sockets.provide(config.server.listeners, count)
            try:
                members = await self.crew.raise_(blueprint, count)
            except BaseException:
                self.sockets.release(before.server.listeners)
                raise
        except BaseException:
            if admin is not self.admin:
                await admin.close()
            raise
        blueprint.board.adopt(self.blueprint.board)
        await self.crew.succeed(members, before.server.drain_timeout)
        self.sockets.release(config.server.listeners)
        self.blueprint = blueprint
        if admin is not self.admin:
            admin, self.admin, self._admin_sock = self.admin, admin, admin_sock
            await admin.close()
        self.admin.token, self.admin.hosts = _token(config), config.admin.hosts
        self._in_force()

    def _in_force(self) -> None:
        show(self.blueprint, self.metrics, SYSTEM)
        if self._watch is not None:
            self._watch.patterns = self.blueprint.config.include
        self.metrics.reload_successful.set(1)
        self.metrics.reload_at.set(SYSTEM.wall())

    async def _drain(self) -> None:
        """Readiness fails, new requests are taken a little longer, those in flight finish."""
        server, log = self.blueprint.config.server, structlog.get_logger()
        self._reasons.append("draining")
        delay_s = 0.0 if self._succession.over else server.drain_delay
        log.info("draining", in_flight=self._in_flight(), delay_s=delay_s, timeout_s=server.drain_timeout)
        if not self._succession.over:
            self._notifier.tell("STOPPING=1")
        self.crew.part()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), delay_s)
        self.crew.cut = 0
        self._handles.append(asyncio.get_running_loop().call_later(PROGRESS_S, self._tell_progress))
        await self.crew.drain(server.drain_timeout, self._hurry, last=not self._succession.over)
        log.info("stopped", connections_cut=self.crew.cut)

    def _tell_progress(self) -> None:
        connections = sum(worker.pulse.connections for worker in self.crew.everybody)
        structlog.get_logger().info("still draining", in_flight=self._in_flight(), connections=connections)
        self._handles.append(asyncio.get_running_loop().call_later(PROGRESS_S, self._tell_progress))

    def _in_flight(self) -> int:
        return sum(worker.pulse.in_flight for worker in self.crew.everybody)

    async def _close(self, log: Log) -> None:
        for worker in self.crew.everybody:
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
            self.crew.later(self._watch.look(self.crew.threads, self._reloads.ask))
        self.crew.reap()
        if now - due < TICK_S and not self._succession.over:  # who was asleep himself, with the whole machine perhaps, judges nobody
            self.crew.look_around(now)
        self._handles[:1] = [asyncio.get_running_loop().call_later(TICK_S, self._tick, now + TICK_S)]

    def _readiness(self) -> tuple[bool, list[str]]:
        reasons = self._reasons or self.crew.misgivings
        return not reasons, reasons

    def _admin(self, config: Config) -> Admin:
        admin = Admin(str(config.admin.address), self.metrics, self._readiness, _token(config), config.admin.hosts)
        admin.views |= views(lambda: self.blueprint, self.crew)
        admin.changes |= changes(self._reloads.ask, self.crew)
        return admin


def _admin_name(config: Config) -> str:
    return f"{ADMIN}@{config.admin.address}"


def _token(config: Config) -> str | None:
    return None if config.admin.token is None else config.admin.token.get_secret_value()
