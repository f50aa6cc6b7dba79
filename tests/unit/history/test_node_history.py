"""history/node_history.py: what the supervisor does once a second."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from gateway.history.feed import ActivityFeed
from gateway.history.node_history import NodeHistory
from gateway.system.one_shot_thread import Threads
from tests.clocks import ManualClock
from tests.unit.history.test_history import of_last_hour, publish
from tests.unit.supervisor.test_status import snapshot


class Pool:
    """One worker."""

    def __init__(self) -> None:
        self.threads = Threads()
        self.everybody = [SimpleNamespace(activity=ActivityFeed())]
        self.tasks: list[asyncio.Task[None]] = []

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


async def test_counts_targets_and_reloads_are_kept() -> None:
    time, pool = ManualClock(), Pool()
    history = NodeHistory(time.clock, pool)
    before, after = snapshot("http://a", "http://b"), snapshot("http://a")
    publish(pool.everybody[0].activity, 3)
    time.advance(1.0)
    history.collect(before)
    time.advance(1.0)
    before.shared_state.upstreams["orders"].targets[0].ejected_until = time.clock.monotonic() + 60
    history.collect(before)
    assert pool.tasks == []
    history.collect(after)
    history.collect(after)
    assert len(pool.tasks) == 1
    await asyncio.gather(*pool.tasks)
    history.refused(["no"])
    assert of_last_hour(history.counts) == 3
    assert [event.state for event in history.targets.events][:1] == ["ejected"]
    assert [event.result for event in history.reloads.events] == ["started", "success", "failure"]
    assert [change.kind for change in history.reloads.events[1].changes] == ["upstream"]
    assert repr(history) == "<NodeHistory <History of 1 workers>>"
