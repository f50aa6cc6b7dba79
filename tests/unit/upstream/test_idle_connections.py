"""upstream/idle_connections.py: which connection is used next, and which one is closed."""

import asyncio
from typing import Any, cast

from gateway.kernel.clock import Clock
from gateway.upstream.idle_connections import IdleConnections
from tests.fakes import until


class Connection:
    """As much of a connection as this needs."""

    def __init__(self, *, usable: bool = True, expires_at: float = 1e9) -> None:
        self.expires_at = expires_at
        self.abandoned = False
        self._usable = usable

    def usable(self, now: float) -> bool:
        return self._usable

    def abandon(self) -> None:
        self.abandoned = True


async def idle(*connections: Any, timeout_s: float = 60.0, now: float = 0.0) -> IdleConnections:
    kept = IdleConnections(timeout_s, Clock(lambda: now, lambda: now))
    for connection in connections:
        kept[cast(Any, connection)] = None
    kept.watch()
    kept.watch()
    return kept


async def test_the_one_used_last_is_taken() -> None:
    first, second = Connection(), Connection()
    kept = await idle(first, second)
    assert [cast(Any, kept.take(0.0)) for _ in range(3)] == [second, first, None]
    kept.stop()


async def test_those_that_cannot_be_used_are_closed() -> None:
    good, bad = Connection(), Connection(usable=False)
    kept = await idle(good, bad)
    assert kept.take(0.0) is cast(Any, good)
    assert bad.abandoned
    kept.stop()


async def test_forgetting_says_whether_it_was_idle() -> None:
    one = cast(Any, Connection())
    kept = await idle(one)
    assert [kept.discard(one), kept.discard(one), len(kept)] == [True, False, 0]
    kept.stop()
    kept.stop()


async def test_the_oldest_is_closed() -> None:
    first, second = Connection(), Connection()
    kept = await idle(first, second)
    kept.abandon_oldest()
    assert [first.abandoned, second.abandoned] == [True, False]
    kept.stop()


async def test_those_whose_time_has_come_are_closed_by_a_timer() -> None:
    due, later = Connection(expires_at=5.0), Connection(expires_at=1e9)
    kept = await idle(due, later, timeout_s=0.001, now=5.0)
    await until(lambda: due.abandoned)
    assert not later.abandoned
    kept.discard(cast(Any, due))
    kept.discard(cast(Any, later))
    await asyncio.sleep(0)
    kept.stop()
