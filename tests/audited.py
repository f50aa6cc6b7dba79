"""Audit trails without Redis, with a clock that stands still and ids that count."""

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import Any

from gateway.audit.records import Actor, AuditEntry
from gateway.audit.shared_trail import SharedAuditTrail
from gateway.audit.trail import AuditTrail
from gateway.settings.schema.server import RedisSettings
from gateway.system.one_shot_thread import Threads

AT_S = 1_800_000_000.0
AT = "2027-01-15T08:00:00.000Z"
ALICE = Actor("alice", "laptop")


def trail_in_memory() -> AuditTrail:
    numbers = count(1)
    return AuditTrail(lambda: AT_S, "gw-1", lambda: str(next(numbers)))


def entry(name: str = "acme-ci", action: str = "keys.disable") -> AuditEntry:
    return AuditEntry(ALICE, action, name, {"disabled": False}, {"disabled": True})


class Background:
    """Runs coroutines in tasks, which a test can wait for."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


def shared_in_memory(trail: AuditTrail, redis: RedisSettings | None = None) -> SharedAuditTrail:
    return SharedAuditTrail(trail, lambda: redis, Threads(), Background().run)
