"""edge/listener.py: the sockets that it accepts from."""

import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path

import msgspec
import pytest

from gateway.edge import Listener
from gateway.edge.certificates import CertificateFiles, Certificates, TlsRequirements
from gateway.edge.connection_limits import REJECTED
from gateway.edge.handshake import HandshakeOptions
from tests.authority import Authority
from tests.raw_client import RawClient
from tests.unit.edge.handshaking import RecordedEvents
from tests.unit.edge.handshaking import listening as listening_to_handshakes
from tests.unit.edge.listening import GET, LIMITS, listening

Listening = AbstractAsyncContextManager[tuple[Listener, int]]


def behind_proxies() -> Listening:
    return listening_to_handshakes(
        trusted=("127.0.0.1",), options=HandshakeOptions(RecordedEvents(), proxy_protocol=True)
    )


@pytest.mark.parametrize(("begin", "header"), [(listening, b""), (behind_proxies, b"PROXY UNKNOWN\r\n")])
async def test_it_accepts_from_a_borrowed_socket_until_it_leaves(begin: Callable[[], Listening], header: bytes) -> None:
    async with begin() as (listener, _):
        with socket.create_server(("127.0.0.1", 0)) as theirs:
            sock = theirs.dup()
            listener.borrow(sock)
            async with await RawClient.connect(theirs.getsockname()[1]) as client:
                await client.send(header + GET)
                assert (await client.reply()).status == 200
            listener.leave(sock)
            assert sock.fileno() == -1
            listener.leave(sock)


async def test_a_server_that_starts_after_its_socket_has_left_is_closed() -> None:
    async with listening() as (listener, _):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            servers = dict(listener._servers)
            await listener._accept_on(sock)
            assert listener._servers == servers


async def test_a_socket_that_cannot_be_used_stops_accepting_until_the_next_sweep() -> None:
    async with listening() as (listener, _):
        closed = socket.socket()
        closed.close()
        listener._sockets.append(closed)
        await listener._resume()
        assert listener._servers == {}
        listener._sockets.remove(closed)
        await listener._resume()
        assert [*listener._servers] == listener._sockets


async def test_the_last_to_accept_takes_as_many_of_the_waiting_as_it_has_capacity_for() -> None:
    most = 1 + REJECTED
    async with listening(limits=msgspec.structs.replace(LIMITS, connections=1)) as (listener, port):
        with ExitStack() as stack:
            for _ in range(most + 2):  # in one turn of the loop
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            listener.stop_accepting(last=True)
            assert len(listener._arriving) == most
            assert listener.busy
            assert repr(listener) == "<Listener 0 connections, draining>"


async def test_a_sweep_reads_certificates_that_have_changed(tmp_path: Path) -> None:
    authority, events = Authority(tmp_path), RecordedEvents()
    certificates = Certificates(
        [CertificateFiles(*authority.write("localhost", "localhost"))], TlsRequirements(), events
    )
    async with listening_to_handshakes(options=HandshakeOptions(events, certificates)) as (listener, _):
        assert len(events.read) == 1
        assert listener._timer is not None
        listener._timer.cancel()
        authority.write("localhost", "localhost")
        listener.CERTIFICATES_S = 0.0
        listener._sweep()
        assert len(events.read) == 2
