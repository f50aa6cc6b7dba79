"""What a worker is given when it is forked: sockets, and memory that it shares with the supervisor."""

import socket
from typing import NamedTuple

import msgspec
from msgspec import field

from gateway.history.feed import ActivityFeed
from gateway.limiter.outage_memory import OutageMemory
from gateway.observe.recent_errors import ErrorRing
from gateway.observe.shared_memory import Region
from gateway.settings.schema.server import ListenerSettings
from gateway.tail.line_ring import LineRing
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from gateway.worker.heartbeat import Heartbeat


class WorkerMemory(NamedTuple):
    """What outlives a worker: what it knows and owes while Redis is away, and the usage that Redis does not have."""

    outage: OutageMemory
    usage: OutageMemory

    @classmethod
    def shared(cls) -> "WorkerMemory":
        """Make empty memory, before the worker is forked."""
        return cls(OutageMemory.shared(), OutageMemory.shared())

    def close(self) -> None:
        """Release the memory, which has no reader any more."""
        self.outage.close()
        self.usage.close()


class WorkerContext(msgspec.Struct, frozen=True):
    """What the supervisor gives a worker besides the configuration.

    `sockets` are the bound sockets of each listener. `control` is the worker's end of the channel. `stacks_fd` is the
    file to which the signal DUMP_STACKS writes. `workers` is the number of workers of this node, one of which
    `checks_targets`. `memory` is the shared memory for what has to survive this worker, and
    `maintenance` the switch of all workers. The worker publishes on `activity` what it has counted.
    `lines` takes access lines while somebody follows them.
    """

    sockets: list[tuple[ListenerSettings, list[socket.socket]]]
    region: Region
    errors: ErrorRing
    heartbeat: Heartbeat
    control: socket.socket
    stacks_fd: int
    checks_targets: bool
    workers: int
    memory: WorkerMemory
    maintenance: MaintenanceSwitch
    activity: ActivityFeed
    lines: LineRing = field(default_factory=LineRing)
