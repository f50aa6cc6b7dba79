"""PROXY headers: what they say, and what becomes of connections that begin with one, or should have."""

import asyncio
import json
import socket
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.certificates import CertificateFiles, Certificates, TlsRequirements
from gateway.edge.handshake import HandshakeOptions
from gateway.edge.proxy_protocol import MOST_BYTES, ProxyHeaderError, client_address, size
from tests.authority import Authority
from tests.fakes import until
from tests.raw_client import RawClient
from tests.unit.edge.handshaking import GET, RecordedEvents, listening

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXIED = 0x20, 0x21
V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n"


def version_2(command: int, family: int, addresses: bytes, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses) if length is None else length) + addresses


def tcp(source: str, more: bytes = b"") -> bytes:
    packed = ip_address(source).packed
    return version_2(PROXIED, 0x11 if len(packed) == 4 else 0x21, packed * 2 + struct.pack("!HH", 1, 2) + more)


V2 = tcp("203.0.113.9", b"\x03\x00\x04\x01\x02\x03\x04")

TELLING = [
    (V1, "203.0.113.9"),
    (b"PROXY TCP6 2001:db8::9 2001:db8::1 56324 443\r\n", "2001:db8::9"),
    (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 0 65535\r\n", "203.0.113.9"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff whatever 65535 65535\r\n", None),
    (V2, "203.0.113.9"),
    (tcp("2001:db8::9"), "2001:db8::9"),
    (tcp("::ffff:203.0.113.9"), "203.0.113.9"),
    (version_2(LOCAL, 0x11, b"\x00" * 12), None),
    (version_2(LOCAL, 0x00, b""), None),
    (version_2(PROXIED, 0x00, b"abc"), None),
    (version_2(PROXIED, 0x31, b"\x00" * 216), None),
]

WRONG = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01",
    b"P\r\n",
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXY UNKNOWNS\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 56324\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443 1\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 65536\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 -1 443\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1  443\r\n",
    b"PROXY TCP4 2001:db8::9 192.0.2.1 1 443\r\n",
    b"PROXY TCP4 203.0.113.9 2001:db8::1 1 443\r\n",
    b"PROXY TCP6 203.0.113.9 192.0.2.1 1 443\r\n",
    b"PROXY UDP4 203.0.113.9 192.0.2.1 1 443\r\n",
    b"PROXY TCP4 \xff 192.0.2.1 1 443\r\n",
    b"PROXY UNKNOWN " + b"a" * 100 + b"\r\n",
    b"PROXY " + b"a" * 200,
    SIGNATURE[:-1] + b"!",
    version_2(0x11, 0x11, b"\x00" * 12),
    version_2(0x22, 0x11, b"\x00" * 12),
    version_2(PROXIED, 0x12, b"\x00" * 12),
    version_2(PROXIED, 0x11, b"\x00" * 11),
    version_2(PROXIED, 0x21, b"\x00" * 35),
    version_2(PROXIED, 0x11, b"", 60000),
]


@pytest.mark.parametrize(("header", "address"), TELLING)
def test_the_address_in_a_header(header: bytes, address: str | None) -> None:
    assert size(header) == size(header + GET) == len(header)
    assert client_address(header) == address
    assert all(size(header[:end]) in (None, len(header)) for end in range(1, len(header)))


@pytest.mark.parametrize("header", WRONG)
def test_what_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        client_address(header[: size(header)])


@given(
    st.binary(max_size=300)
    | st.binary(max_size=60).map(lambda rest: V1[:11] + rest)
    | st.binary(max_size=60).map(lambda rest: V2[:13] + rest)
)
def test_whatever_comes_is_a_header_or_refused(begin: bytes) -> None:
    try:
        whole = size(begin)
        if whole is not None:
            assert 0 < whole <= MOST_BYTES
            address = client_address(begin[:whole]) if whole <= len(begin) else None
            assert address is None or str(ip_address(address)) == address
    except ProxyHeaderError:
        pass


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
