"""edge/listener.py: the sockets that it accepts from."""

import asyncio
import resource
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from gateway.edge import Listener
from gateway.edge.certificates import CertificateFiles, Certificates, TlsRequirements
from gateway.edge.connection_limits import REJECTED
from gateway.edge.handshake import HandshakeOptions
from gateway.edge.listener import ACCEPTS_AT_ONCE
from tests.authority import Authority
from tests.fakes import until
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


async def test_many_that_come_at_once_are_accepted_in_few_iterations_of_the_loop() -> None:
    async with listening() as (listener, port):
        with ExitStack() as stack:
            for _ in range(2 * ACCEPTS_AT_ONCE):  # in one turn of the loop
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            accepted: set[object] = set()
            counts = [0]
            while counts[-1] < 2 * ACCEPTS_AT_ONCE:
                await asyncio.sleep(0)
                accepted |= listener._arriving
                counts.append(len(accepted))
            assert max(after - before for before, after in pairwise(counts)) == ACCEPTS_AT_ONCE


async def test_without_a_free_file_descriptor_accepting_pauses_until_the_next_sweep() -> None:
    async with listening() as (listener, port):
        with ExitStack() as stack:
            most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno(), hard))
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (most, hard))
            await until(lambda: not listener._accepting)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            client.sendall(GET)
            client.settimeout(5)
            assert await asyncio.to_thread(client.recv, 12) == b"HTTP/1.1 200"


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
