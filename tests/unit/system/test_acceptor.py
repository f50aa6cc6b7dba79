"""What tests/unit/test_admin_patience.py does not bring about: a process without descriptors."""

import asyncio
import resource
import socket
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.system import acceptor
from gateway.system.acceptor import Acceptor, connection_limit
from tests.fakes import until


class FakeConnection(asyncio.Protocol):
    def __init__(self, all_: "FakeConnections") -> None:
        self._all = all_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._all.here.append(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.gone += 1


class FakeConnections:
    def __init__(self) -> None:
        self.here: list[asyncio.BaseTransport] = []
        self.gone = self.cleared = 0

    def __len__(self) -> int:
        return len(self.here) - self.gone

    def close_idle(self) -> bool:
        self.cleared += 1
        for transport in self.here:
            if not transport.is_closing():
                transport.close()
                return True
        return False


@pytest.fixture
def descriptors() -> Iterator[None]:
    """As many as before, afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_without_descriptors_it_closes_idle_connections_waits_and_logs_once(descriptors: None) -> None:
    structlog.reset_defaults()
    connections, listening = FakeConnections(), socket.create_server(("127.0.0.1", 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    one = Acceptor(listening, lambda: FakeConnection(connections), connections, 100)
    clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]
    await until(lambda: len(connections) == 3)
    with capture_logs() as lines:
        clients += [socket.socket() for _ in range(3)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        for client in clients[3:]:
            client.connect(listening.getsockname())
        await until(lambda: connections.cleared >= 4, 10)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: len(connections.here) == 6 and not one._tasks, 10)
    assert [line["event"] for line in lines] == ["a connection cannot be accepted"]
    assert lines[0]["reason"] == "Too many open files"
    assert "waiting" not in repr(one)
    one.close()
    one.close()
    for client in clients:
        client.close()
    for transport in connections.here:
        transport.close()
    await until(lambda: connections.gone == 6)


def test_the_connection_limit_leaves_descriptors_for_other_uses(descriptors: None) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    assert connection_limit(128) == 128
    resource.setrlimit(resource.RLIMIT_NOFILE, (acceptor._RESERVED + 60, hard))
    assert 4 <= connection_limit(128) < 60


class BusyConnections(FakeConnections):
    """None of them can be ended."""

    def close_idle(self) -> bool:
        self.cleared += 1
        return False


async def test_where_nothing_is_idle_it_waits_and_can_be_closed() -> None:
    connections, listening = BusyConnections(), socket.create_server(("127.0.0.1", 0))
    one = Acceptor(listening, lambda: FakeConnection(connections), connections, 1)
    clients = [socket.create_connection(listening.getsockname()) for _ in range(2)]
    await until(lambda: repr(one) == "<Acceptor 1/1 connections, waiting>", 10)
    assert connections.cleared > 0
    one.close()
    for client in clients:
        client.close()
    for transport in connections.here:
        transport.close()
    await until(lambda: connections.gone == 1)


def test_the_connection_limit_without_any_descriptor_is_the_least(descriptors: None) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    least = connection_limit(128)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))  # at once: what measures coverage opens files
    assert least == 4
