"""Reads the configuration again while the gateway serves, and puts it into force as a whole or not at all."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway.audit.records import Actor, AuditEntry, AuditOutcome
from gateway.audit.trail import AuditTrail
from gateway.observe.node_metrics import NodeMetrics
from gateway.openapi.compile import compile_contracts
from gateway.settings import Config, ConfigError
from gateway.settings.origins import Origins
from gateway.supervisor.coalesce import Coalescer
from gateway.supervisor.worker_process import WorkerStartError
from gateway.system.clock import SYSTEM_CLOCK
from gateway.system.one_shot_thread import Threads
from gateway.system.systemd import Notifier
from gateway.table.snapshot import Snapshot, compile_snapshot

READ_WITHIN_S = 60.0
"""The time to read and to compile the files: a network file system may never answer."""


def snapshot_of(config: Config, origins: Origins | None, source: str) -> Snapshot:
    """Compile a configuration and the documents that it names. Raises ConfigError for a document."""
    contracts = compile_contracts(config)
    return compile_snapshot(config, origins, source, *contracts)


class Reloader:
    """`read` reads and compiles the configuration in a thread; it raises ConfigError, OSError or UnicodeError.

    `put_into_force` raises OSError or WorkerStartError, and has then changed nothing. `changing` is held during a
    reload. `on_refused` gets what is wrong with a configuration.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        put_into_force: Callable[[Snapshot], Awaitable[None]],
        changing: asyncio.Lock,
        threads: Threads,
        metrics: NodeMetrics,
        notifier: Notifier,
        on_refused: Callable[[list[str]], None],
    ) -> None:
        self._read = read
        self._put_into_force = put_into_force
        self._changing = changing
        self._threads = threads
        self._metrics = metrics
        self._notifier = notifier
        self._on_refused = on_refused
        self.due = False
        """Whether a reload waits for the lock `changing`."""

    async def reload(self) -> list[str]:
        """Return what is wrong with the configuration; empty if it is in force."""
        self.due = True
        async with self._changing:
            self.due = False
            self._notifier.reloading(SYSTEM_CLOCK.monotonic())
            problems = await self._read_and_replace()
            self._notifier.notify("READY=1")
            return problems

    async def _read_and_replace(self) -> list[str]:
        log, metrics = structlog.get_logger(), self._metrics
        try:
            snapshot = await asyncio.wait_for(self._threads.run(self._read), READ_WITHIN_S)
            await self._put_into_force(snapshot)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
        except TimeoutError as error:
            problems = [str(error) or f"the files were not read within {READ_WITHIN_S:g} s"]
        except (OSError, WorkerStartError, UnicodeError) as error:
            problems = [str(error)]
        else:
            metrics.reloads.labels("success").inc()
            config = snapshot.config
            log.info("reloaded", config=snapshot.source, routes=len(config.routes), keys=config.key_count())
            return []
        for problem in problems:
            log.error("configuration refused", problem=problem)
        metrics.reload_successful.set(0)
        metrics.reloads.labels("failure").inc()
        self._on_refused(problems)
        return problems


class RecordedReloads:
    """Requests reloads of `reloads`, and records in `trail` who did, and what came of it.

    `digest` returns that of the configuration in force. Requests of one actor that share a reload share a record.
    """

    def __init__(self, reloads: "Coalescer[list[str]]", trail: AuditTrail, digest: Callable[[], str]) -> None:
        self._reloads = reloads
        self._trail = trail
        self._digest = digest
        self._requested: set[tuple[asyncio.Future[list[str]], Actor]] = set()

    def request(self, actor: Actor) -> "asyncio.Future[list[str]]":
        """Return the problems of the configuration that is read next."""
        result = self._reloads.request()
        if (result, actor) not in self._requested:
            self._requested.add((result, actor))
            before = self._digest()
            result.add_done_callback(lambda result: self._record(result, actor, before))
        return result

    def _record(self, result: "asyncio.Future[list[str]]", actor: Actor, before: str) -> None:
        self._requested.discard((result, actor))
        if result.cancelled():
            return
        problems = result.result()
        after = {"problems": problems} if problems else {"digest": self._digest()}
        outcome: AuditOutcome = "refused" if problems else "done"
        self._trail.record(AuditEntry(actor, "reload", "configuration", {"digest": before}, after, outcome))
