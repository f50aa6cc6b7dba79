import errno
import socket
from collections.abc import Iterator

import pytest

from gateway.cli.free_port import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_is_taken_as_wanted(taken: int) -> None:
    following = free_port("127.0.0.1", taken)
    assert free_port("127.0.0.1", following) == following


def test_a_taken_port_gives_the_next_one(taken: int) -> None:
    assert taken < free_port("127.0.0.1", taken) < taken + 100


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign") as raised:
        free_port("192.0.2.1", 8080)
    assert raised.value.errno == errno.EADDRNOTAVAIL


def test_past_the_last_port_there_is_none() -> None:
    with pytest.raises(OSError, match="no port is free from 65536"):
        free_port("127.0.0.1", 65536)
