"""edge/handshake.py: connections that begin with a PROXY header, or should have."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from gateway.edge.certificates import CertificateFiles, Certificates, TlsRequirements
from gateway.edge.handshake import HandshakeOptions
from tests.authority import Authority
from tests.fakes import until
from tests.raw_client import RawClient
from tests.unit.edge.handshaking import RecordedEvents, listening
from tests.unit.edge.listening import GET
from tests.unit.edge.proxy_headers import TELLING, V1, V2, WRONG, tcp


def expecting(events: RecordedEvents, timeout_s: float = 10.0) -> HandshakeOptions:
    return HandshakeOptions(events, proxy_protocol=True, proxy_timeout_s=timeout_s)


@pytest.mark.parametrize(("header", "address"), TELLING)
async def test_the_address_from_a_trusted_proxy_is_the_peers(header: bytes, address: str | None) -> None:
    events = RecordedEvents()
    async with (
        listening(options=expecting(events), trusted=("127.0.0.1/32",)) as (_, port),
        await RawClient.connect(port) as client,
    ):
        await client.send(header + GET)
        seen = json.loads((await client.reply()).body)
        assert seen["peer"] == seen["client"] == (address or "127.0.0.1")
        assert seen["trusted"] is (address is None)
        assert events.failed == []


@pytest.mark.parametrize("header", [V1, V2, tcp("203.0.113.9", b"\x00" * 4000)])
async def test_a_header_may_come_byte_by_byte(header: bytes) -> None:
    async with (
        listening(options=expecting(RecordedEvents()), trusted=("127.0.0.1/32",)) as (_, port),
        await RawClient.connect(port) as client,
    ):
        step = 1 if len(header) < 100 else 500
        for at in range(0, len(header), step):
            await client.send(header[at : at + step])
            for _ in range(3):
                await asyncio.sleep(0)
        await client.send(GET)
        assert json.loads((await client.reply()).body)["peer"] == "203.0.113.9"


@pytest.mark.parametrize("begin", [*WRONG, GET])
async def test_without_a_header_a_connection_is_closed_without_a_word(begin: bytes) -> None:
    events = RecordedEvents()
    async with (
        listening(options=expecting(events), trusted=("127.0.0.1/32",)) as (_, port),
        await RawClient.connect(port) as client,
    ):
        await client.send(begin + GET)
        assert await client.rest() == b""
        assert events.failed == ["malformed"]


async def test_a_proxy_of_ipv4_is_known_at_a_socket_for_both_versions() -> None:
    events = RecordedEvents()
    async with listening(options=expecting(events), trusted=("127.0.0.1/32",), host="::") as (_, port):
        for header, peer in ((V1, "203.0.113.9"), (b"PROXY UNKNOWN\r\n", "127.0.0.1")):
            async with await RawClient.connect(port) as client:
                await client.send(header + GET)
                assert json.loads((await client.reply()).body)["peer"] == peer
    assert events.failed == []


async def test_others_than_trusted_proxies_are_refused() -> None:
    events = RecordedEvents()
    async with (
        listening(options=expecting(events), trusted=("192.0.2.0/24",)) as (_, port),
        await RawClient.connect(port) as client,
    ):
        await client.send(V1 + GET)
        assert await client.rest() == b""
        assert events.failed == ["untrusted"]


@pytest.mark.parametrize("part", [b"", V1[:-1], V2[:-1]])
async def test_a_header_has_its_time(part: bytes) -> None:
    events = RecordedEvents()
    async with (
        listening(options=expecting(events, 0.1), trusted=("127.0.0.1/32",)) as (_, port),
        await RawClient.connect(port) as client,
    ):
        await client.send(part)
        assert await client.rest() == b""
        assert events.failed == ["timeout"]


@pytest.mark.parametrize(("part", "counted"), [(b"", []), (V1[:-1], ["malformed"])])
async def test_a_proxy_that_leaves_early(part: bytes, counted: list[str]) -> None:
    events = RecordedEvents()
    async with (
        listening(options=expecting(events), trusted=("127.0.0.1/32",)) as (listener, port),
        await RawClient.connect(port) as client,
    ):
        await client.send(part)
        client.finish_sending()
        assert await client.rest() == b""
        await until(lambda: not listener.busy)
        assert events.failed == counted


@pytest.mark.parametrize("header", [V1, V2])
async def test_tls_follows_the_header(tmp_path: Path, header: bytes) -> None:
    authority, events = Authority(tmp_path), RecordedEvents()
    certificates = Certificates(
        [CertificateFiles(*authority.write("localhost", "localhost"))], TlsRequirements(), events
    )
    both = HandshakeOptions(events, certificates, proxy_protocol=True)
    async with listening(options=both, trusted=("127.0.0.1/32",)) as (_, port):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(header)
        sock.settimeout(0)
        async with asyncio.timeout(10):
            client = RawClient(
                *await asyncio.open_connection(sock=sock, ssl=authority.client(), server_hostname="localhost")
            )
        async with client:
            await client.send(GET)
            seen = json.loads((await client.reply()).body)
            assert (seen["scheme"], seen["peer"]) == ("https", "203.0.113.9")
        assert events.failed == []


@pytest.mark.parametrize("header", [b"", V1])
async def test_a_proxy_may_come_through_a_unix_socket(tmp_path: Path, header: bytes) -> None:
    path, events = tmp_path / "s", RecordedEvents()
    async with listening(options=expecting(events) if header else None, unix=path):
        async with RawClient(*await asyncio.open_unix_connection(str(path))) as client:
            await client.send(header + GET)
            seen = json.loads((await client.reply()).body)
            assert (seen["peer"], seen["trusted"]) == (("203.0.113.9", False) if header else ("unix", True))
        assert events.failed == []


async def test_a_proxy_that_resets_the_connection_is_counted() -> None:
    events = RecordedEvents()
    async with listening(options=expecting(events), trusted=("127.0.0.1/32",)) as (listener, port):
        client = await RawClient.connect(port)
        await until(lambda: listener.busy)
        client.reset()
        await until(lambda: events.failed == ["closed"])
        await until(lambda: not listener.busy)
