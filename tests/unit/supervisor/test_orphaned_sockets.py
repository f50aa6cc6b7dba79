"""supervisor/orphaned_sockets.py: which worker accepts for one that has ended."""

import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest

from gateway.settings import parse
from gateway.supervisor.listening_sockets import Sockets
from gateway.supervisor.orphaned_sockets import OrphanedSockets
from gateway.supervisor.worker_process import State, WorkerProcess
from gateway.table.snapshot import compile_snapshot
from tests.yaml_files import LEAST

SNAPSHOT = compile_snapshot(
    parse(LEAST + 'server: {listeners: [{id: public, address: "127.0.0.1:0"}]}\n'), None, "gateway.yaml"
)
LISTENERS = SNAPSHOT.config.server.listeners


class FakeWorker:
    """Keeps which slots it accepts for."""

    snapshot = SNAPSHOT

    def __init__(self, slot: int, state: State) -> None:
        self.slot = slot
        self.state = state
        self.shared: dict[int, list[socket.socket]] = {}

    def share_sockets(self, slot: int, listener: int, sockets: list[socket.socket]) -> None:
        assert listener == 0
        self.shared[slot] = sockets

    def reclaim_sockets(self, slot: int) -> None:
        del self.shared[slot]


def members(*workers: FakeWorker) -> dict[int, WorkerProcess]:
    return {worker.slot: cast("WorkerProcess", cast("Any", worker)) for worker in workers}


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    made = Sockets()
    made.provide(LISTENERS, 3)
    yield made
    made.release([])


def test_each_ended_worker_has_a_substitute_until_its_successor_serves(sockets: Sockets) -> None:
    orphaned = OrphanedSockets(sockets)
    first, second, third = FakeWorker(0, "ended"), FakeWorker(1, "serving"), FakeWorker(2, "ended")
    workers = members(first, second, third)
    assert not orphaned.all_served(workers)
    orphaned.assign(workers)
    assert orphaned.all_served(workers)
    assert repr(orphaned) == "<OrphanedSockets of slots [0, 2]>"
    assert second.shared == {slot: sockets.share(LISTENERS, slot, 3)[0][1] for slot in (0, 2)}
    first.state = "serving"
    orphaned.assign(workers)
    assert set(second.shared) == {2}
    second.state = "ended"
    orphaned.assign(workers)
    assert set(first.shared) == {1, 2}
    assert set(second.shared) == set()


def test_substitutes_share_the_load(sockets: Sockets) -> None:
    first, second = FakeWorker(0, "serving"), FakeWorker(1, "serving")
    OrphanedSockets(sockets).assign(members(first, second, FakeWorker(2, "ended"), FakeWorker(3, "ended")))
    assert (len(first.shared), len(second.shared)) == (1, 1)


def test_a_slot_that_is_removed_needs_no_substitute(sockets: Sockets) -> None:
    orphaned, serving = OrphanedSockets(sockets), FakeWorker(0, "serving")
    orphaned.assign(members(serving, FakeWorker(1, "ended")))
    orphaned.assign(members(serving))
    assert serving.shared == {}


@pytest.mark.parametrize(("state", "is_refused"), [("serving", False), ("ended", True)])
def test_connections_are_refused_only_when_no_worker_serves(
    sockets: Sockets, state: State, *, is_refused: bool
) -> None:
    orphaned = OrphanedSockets(sockets)
    orphaned.reject(members(FakeWorker(0, "ended"), FakeWorker(1, state)))
    (address,) = sockets.addresses(LISTENERS)
    with socket.socket() as client:
        assert (client.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) != 0) is is_refused
