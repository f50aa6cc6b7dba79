import errno
import socket
from collections.abc import Iterator

import pytest

from gateway.cli.free_port import free_port, free_ports


@pytest.fixture
def used() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_is_returned_as_wanted(used: int) -> None:
    following = free_port("127.0.0.1", used)
    assert free_port("127.0.0.1", following) == following


def test_a_used_port_gives_the_next_one(used: int) -> None:
    assert used < free_port("127.0.0.1", used) < used + 100


def test_a_port_that_is_about_to_be_used_is_not_returned(used: int) -> None:
    free = free_port("127.0.0.1", used)
    assert free < free_port("127.0.0.1", free, but=free) < free + 100
    ports = free_ports("127.0.0.1", 9901)
    assert 9901 <= ports["port"] != ports["admin_port"] >= 9901


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign") as raised:
        free_port("192.0.2.1", 8080)
    assert raised.value.errno == errno.EADDRNOTAVAIL


def test_past_the_last_port_there_is_none() -> None:
    with pytest.raises(OSError, match="no port is free from 65536"):
        free_port("127.0.0.1", 65536)
