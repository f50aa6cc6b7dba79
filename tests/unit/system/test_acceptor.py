"""What tests/unit/test_admin_patience.py does not bring about: a process without descriptors."""

import asyncio
import resource
import socket
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.system import acceptor
from gateway.system.acceptor import Acceptor, room
from tests.fakes import until


class Place(asyncio.Protocol):
    def __init__(self, all_: "Places") -> None:
        self._all = all_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._all.here.append(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.gone += 1


class Places:
    def __init__(self) -> None:
        self.here: list[asyncio.BaseTransport] = []
        self.gone = self.cleared = 0

    def __len__(self) -> int:
        return len(self.here) - self.gone

    def clear_one(self) -> bool:
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


async def test_without_descriptors_it_makes_room_waits_and_says_so_once(descriptors: None) -> None:
    structlog.reset_defaults()
    places, listening = Places(), socket.create_server(("127.0.0.1", 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    one = Acceptor(listening, lambda: Place(places), places, 100)
    clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]
    await until(lambda: len(places) == 3)
    with capture_logs() as lines:
        clients += [socket.socket() for _ in range(3)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        for client in clients[3:]:
            client.connect(listening.getsockname())
        await until(lambda: places.cleared >= 4, 10)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: len(places.here) == 6 and not one._tasks, 10)
    assert [line["event"] for line in lines] == ["a connection cannot be accepted"]
    assert lines[0]["reason"] == "Too many open files"
    assert "waiting" not in repr(one)
    one.close()
    one.close()
    for client in clients:
        client.close()
    for transport in places.here:
        transport.close()
    await until(lambda: places.gone == 6)


def test_room_is_what_there_are_descriptors_for(descriptors: None) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    assert room(128) == 128
    resource.setrlimit(resource.RLIMIT_NOFILE, (acceptor._KEPT + 60, hard))
    assert 4 <= room(128) < 60
