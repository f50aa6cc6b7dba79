"""The process that owns what has to survive a worker: listening sockets, the memory of metrics, the configuration.

    supervisor.py           starts, reloads and drains the gateway
    reload.py               reads the configuration again            coalesce.py           reloads, one at a time
    file_watch.py           finds changes of the configuration's files
    worker_pool.py          forks and replaces workers               restart_backoff.py    delays between restarts
    worker_process.py       one worker, as the supervisor sees it
    listening_sockets.py    one socket for each listener and worker, handed from generation to generation
    orphaned_sockets.py     has another worker accept for one that has ended
    metric_regions.py       the memory in which workers count
    outage_handover.py      the workers' records of an outage of Redis
    hot_restart.py          replaces this program by a new release   inherited_sockets.py  what the new program is given
    signal_handlers.py      the actions of signals                   cpu_count.py          the default number of workers
    admin_views.py, config_views.py, limit_views.py, status.py       the pages of the admin listener

Workers are forked, not started: everything that was imported, read and compiled is there already, and its pages of
memory are shared. Therefore the supervisor has one thread, except while a configuration is read, and never blocks.

The supervisor handles no requests. When it is killed, its workers read the end of their control socket, and drain.
"""

import asyncio
import os
from pathlib import Path

from gateway.settings import Config
from gateway.settings.origins import Origins
from gateway.supervisor.reload import snapshot_of
from gateway.supervisor.supervisor import Supervisor
from gateway.table.snapshot import ConfigSource

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
    """Serve `config` until SIGTERM, SIGINT or SIGQUIT, then drain; return the exit code.

    `source` names it in the log.

    `origins` are the positions of its values, None for a configuration without a file. `reread` returns both as they
    are at a reload; None if they cannot change. A change of the file `watched` causes a reload. A worker whose event
    loop is blocked for `stuck_after_s` is replaced. Raises OSError when an address is not available, or a file that the
    configuration names cannot be read.
    """

    async def serve() -> int:
        snapshot = snapshot_of(config, origins, source)
        return await Supervisor(
            snapshot, reread or (lambda: (config, origins)), stuck_after_s, os.environ, watched
        ).serve()

    return asyncio.run(serve())
