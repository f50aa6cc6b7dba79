"""supervisor/reload.py: a reload that succeeds, and each way in which it fails."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from gateway.audit.query import AuditQuery
from gateway.audit.records import Actor
from gateway.observe.node_metrics import NodeMetrics
from gateway.settings import parse
from gateway.supervisor.coalesce import Coalescer
from gateway.supervisor.reload import RecordedReloads, Reloader
from gateway.supervisor.worker_process import WorkerStartError
from gateway.system.one_shot_thread import Threads
from gateway.system.systemd import Notifier
from gateway.table.snapshot import Snapshot, compile_snapshot
from tests.audited import ALICE, trail_in_memory
from tests.fakes import until
from tests.yaml_files import LEAST


def read_valid() -> Snapshot:
    return compile_snapshot(parse(LEAST), None, "gateway.yaml")


def read_invalid() -> Snapshot:
    return compile_snapshot(parse(LEAST + "nonsense: 1\n"), None, "gateway.yaml")


def read_missing() -> Snapshot:
    raise FileNotFoundError("no such file")


class Node:
    """A reloader whose new configuration a test accepts or refuses with `error`."""

    def __init__(self, read: Callable[[], Snapshot], error: Exception | None = None) -> None:
        self.metrics = NodeMetrics()
        self.changing = asyncio.Lock()
        self.in_force: list[Snapshot] = []
        self._error = error
        self.refused: list[str] = []
        self.reloader = Reloader(
            read, self._put_into_force, self.changing, Threads(), self.metrics, Notifier({}), self.refused.extend
        )

    async def _put_into_force(self, snapshot: Snapshot) -> None:
        if self._error is not None:
            raise self._error
        self.in_force.append(snapshot)

    def reloads(self, result: str) -> float:
        return self.metrics.reloads.labels(result).value


async def test_a_valid_configuration_is_put_into_force() -> None:
    node = Node(read_valid)
    with capture_logs() as lines:
        assert await node.reloader.reload() == []
    assert [line["event"] for line in lines] == ["reloaded"]
    assert (len(node.in_force), node.reloads("success"), node.reloads("failure")) == (1, 1, 0)


@pytest.mark.parametrize(
    ("read", "error", "problem"),
    [
        (read_invalid, None, "nonsense"),
        (read_missing, None, "no such file"),
        (read_valid, WorkerStartError("a worker ended with 1"), "a worker ended with 1"),
        (read_valid, TimeoutError("too late"), "too late"),
        (read_valid, TimeoutError(), "the files were not read within 60 s"),
    ],
)
async def test_every_failure_is_reported_and_changes_nothing(
    read: Callable[[], Snapshot], error: Exception | None, problem: str
) -> None:
    node = Node(read, error)
    with capture_logs() as lines:
        (found,) = await node.reloader.reload()
    assert problem in found
    assert [(line["event"], line["problem"]) for line in lines] == [("configuration refused", found)]
    assert (node.in_force, node.reloads("success"), node.reloads("failure")) == ([], 0, 1)
    assert node.refused == [found]


async def test_it_is_due_while_it_waits_for_another_change() -> None:
    node = Node(read_valid)
    async with node.changing:
        reloading = asyncio.create_task(node.reloader.reload())
        await until(lambda: node.reloader.due)
    assert await reloading == []
    assert not node.reloader.due


@pytest.mark.parametrize(
    ("problems", "after", "outcome"),
    [([], {"digest": "new"}, "done"), (["f:1:1: error: no"], {"problems": ["f:1:1: error: no"]}, "refused")],
)
async def test_it_is_recorded_who_wanted_a_reload_and_what_came_of_it(
    problems: list[str], after: dict[str, object], outcome: str
) -> None:
    digest = ["old"]

    async def reload() -> list[str]:
        digest[0] = "new"
        return problems

    coalescer, trail = Coalescer(reload), trail_in_memory()
    reloads = RecordedReloads(coalescer, trail, lambda: digest[0])
    results = [reloads.request(actor) for actor in (ALICE, ALICE, Actor("SIGHUP", "host"))]
    async with coalescer.running():
        assert await asyncio.gather(*results) == [problems] * 3
    found = trail.remembered(AuditQuery())
    assert [record.who for record in found] == ["SIGHUP", "alice"]
    assert (found[0].action, found[0].before, found[0].after, found[0].outcome) == (
        "reload",
        {"digest": "old"},
        after,
        outcome,
    )


async def test_a_reload_that_never_happened_is_not_recorded() -> None:
    async def never() -> list[str]:
        raise AssertionError

    coalescer, trail = Coalescer(never), trail_in_memory()
    result = RecordedReloads(coalescer, trail, lambda: "").request(ALICE)
    result.cancel()
    await asyncio.wait([result])
    assert trail.remembered(AuditQuery()) == []
