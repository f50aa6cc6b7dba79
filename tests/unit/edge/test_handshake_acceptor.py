"""edge/handshake.py: when connections are accepted, and how failures are named."""

import asyncio
import errno
import socket
import ssl

import pytest

from gateway.edge.handshake import HandshakeAcceptor, HandshakeOptions, _reason
from tests.raw_client import RawClient
from tests.unit.edge.handshaking import RecordedEvents, listening


def make(client: str, *, plain: bool) -> asyncio.Protocol:
    raise AssertionError((client, plain))


def acceptor(*, has_capacity: bool = True) -> HandshakeAcceptor:
    return HandshakeAcceptor(make, HandshakeOptions(RecordedEvents()), lambda _: True, lambda _: has_capacity)


async def test_without_capacity_connections_stay_in_the_queue_of_the_system() -> None:
    full = acceptor(has_capacity=False)
    with (
        socket.create_server(("127.0.0.1", 0)) as theirs,
        socket.create_connection(theirs.getsockname()) as client,
    ):
        sock = theirs.dup()
        full.open(sock)
        full._accept(sock)
        assert (full.arriving, repr(full)) == (0, "<HandshakeAcceptor 0 arriving>")
        full.leave(sock)
        waiting, address = theirs.accept()
        waiting.close()
        assert address == client.getsockname()


async def test_a_socket_that_cannot_accept_is_a_bug() -> None:
    with socket.socket() as sock, pytest.raises(OSError) as raised:  # noqa: PT011  its number is compared
        acceptor()._accept(sock)
    assert raised.value.errno == errno.EINVAL


async def test_the_last_to_accept_refuses_later_connections() -> None:
    options = HandshakeOptions(RecordedEvents(), proxy_protocol=True)
    async with listening(options=options, trusted=("127.0.0.1",)) as (listener, port):
        listener.stop_accepting(last=True)
        with pytest.raises(ConnectionRefusedError):
            await RawClient.connect(port)


def test_the_end_of_a_connection_within_tls_is_called_closed() -> None:
    assert _reason(ssl.SSLEOFError()) == "closed"
