"""Accepting in the place of another worker, on both ways in; and the end of all accepting."""

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest

from gateway.edge import Listener
from gateway.edge.borrowed_sockets import BorrowedSockets
from gateway.edge.handshake import HandshakeOptions
from tests.raw_client import RawClient
from tests.unit.edge.handshaking import RecordedEvents
from tests.unit.edge.handshaking import listening as listening_to_handshakes
from tests.unit.edge.listening import GET, listening

PROXY = b"PROXY UNKNOWN\r\n"


async def a_listener(stack: AsyncExitStack, way: str) -> tuple[Listener, int]:
    if way == "plain":
        return await stack.enter_async_context(listening())
    return await stack.enter_async_context(
        listening_to_handshakes(trusted=("127.0.0.1",), options=HandshakeOptions(RecordedEvents(), proxy_protocol=True))
    )


async def asked(port: int, way: str) -> int:
    async with await RawClient.connect(port) as client:
        await client.send((b"" if way == "plain" else PROXY) + GET)
        return (await client.reply()).status


def lent() -> tuple[socket.socket, int]:
    """Another worker's socket, which stays open here, and its port."""
    sock = socket.create_server(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


@pytest.mark.parametrize("way", ["plain", "handshake"])
async def test_it_accepts_from_a_borrowed_socket_until_it_is_given_back(way: str) -> None:
    async with AsyncExitStack() as stack:
        listener, own = await a_listener(stack, way)
        borrowed = BorrowedSockets([listener])
        sock, port = lent()
        with sock:
            borrowed.take(3, 0, [sock.dup().detach()])
            assert repr(borrowed) == "<BorrowedSockets of slots [3]>"
            assert [await asked(port, way) for _ in range(3)] == [200] * 3
            borrowed.give_back(3)
            borrowed.give_back(3)
            async with await RawClient.connect(port) as waiting:
                await waiting.send((b"" if way == "plain" else PROXY) + GET)
                assert await asked(own, way) == 200
                theirs, _ = sock.accept()  # it waits for whoever accepts there next
                theirs.close()


async def test_a_socket_that_is_returned_immediately_is_not_accepted_from() -> None:
    async with AsyncExitStack() as stack:
        listener, own = await a_listener(stack, "plain")
        borrowed = BorrowedSockets([listener])
        sock, port = lent()
        with sock:
            borrowed.take(0, 0, [sock.dup().detach()])
            await asyncio.sleep(0)
            borrowed.give_back(0)
            async with await RawClient.connect(port):
                assert await asked(own, "plain") == 200
                theirs, _ = sock.accept()
                theirs.close()


@pytest.mark.parametrize("way", ["plain", "handshake"])
async def test_who_accepts_no_more_borrows_nothing(way: str) -> None:
    async with AsyncExitStack() as stack:
        listener, _ = await a_listener(stack, way)
        listener.stop_accepting()
        sock, port = lent()
        with sock:
            BorrowedSockets([listener]).take(0, 0, [sock.dup().detach()])
            async with await RawClient.connect(port):
                theirs, _ = sock.accept()
                theirs.close()


@pytest.mark.parametrize("way", ["plain", "handshake"])
async def test_the_last_to_accept_serves_waiting_connections_and_refuses_later_ones(way: str) -> None:
    async with AsyncExitStack() as stack:
        listener, _ = await a_listener(stack, way)
        sock, port = lent()
        with sock:
            BorrowedSockets([listener]).take(0, 0, [sock.dup().detach()])
            assert await asked(port, way) == 200
            clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]  # in one turn of the loop
            listener.stop_accepting(last=True)
            with pytest.raises(ConnectionRefusedError):
                await RawClient.connect(port)
            assert listener.busy
            for client in clients:
                client.sendall((b"" if way == "plain" else PROXY) + GET)
            for client in clients:
                client.settimeout(5)
                assert await asyncio.to_thread(client.recv, 12) == b"HTTP/1.1 200"
                client.close()
