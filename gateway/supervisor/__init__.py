"""The process that owns what must outlive a worker: listening sockets, the memory of metrics, the configuration in force.

    run              what `gateway run` does
    supervisor.py    starting, reloading, draining
    views.py, configuration.py, limits.py   what the admin listener shows and changes
    crew.py          the workers: forked, replaced when they die or stand still, succeeded by the next generation
    worker.py        one of them, as seen from here        fork.py      how it comes to be
    sockets.py       one for each listener and worker, bound once and handed from generation to generation
    cover.py         who accepts in the place of one that is lost       reserve.py   descriptors kept for its successor
    threads.py       work beside the loop, and when a fork is safe all the same
    signals.py       what is done at each
    succession.py    giving way to the next program
    inheritance.py   handed from release to release, or by systemd, whom notify.py keeps informed
    turns.py         reloads, one at a time                 watch.py     whether the files have changed

A worker is forked, not started: what was imported, read and compiled is there already, and its pages are shared. For
that the supervisor keeps to one thread, but while a configuration is read; it does nothing that waits.

The supervisor never touches a request. When it is killed its workers see the end of their control socket and drain.
"""

import asyncio
import os
from pathlib import Path

from gateway.settings import Config
from gateway.settings.origins import Origins
from gateway.supervisor.supervisor import Supervisor
from gateway.table.snapshot import ConfigSource, compile_snapshot

STUCK_AFTER_S = 10.0


def run(
    config: Config,
    *,
    source: str,
    origins: Origins | None = None,
    reread: ConfigSource | None = None,
    watched: Path | None = None,
    stuck_after_s: float = STUCK_AFTER_S,
) -> int:
    """Serve `config` until SIGTERM, SIGINT or SIGQUIT, then drain; returns the exit code. `source` names it in the log.

    `origins` says where its values stand, None for a configuration without a file. `reread` gives both as they are at a
    reload, None for what cannot change; `watched` is a file whose change is a reason for one. A worker whose loop stands still
    for `stuck_after_s` is replaced. Raises OSError when an address cannot be had, or a file that the configuration names
    cannot be read.
    """

    async def serve() -> int:
        snapshot = compile_snapshot(config, origins, source)
        return await Supervisor(snapshot, reread or (lambda: (config, origins)), stuck_after_s, os.environ, watched).serve()

    return asyncio.run(serve())
