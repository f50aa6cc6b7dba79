"""TLS on real sockets: handshakes that succeed, those that do not, and certificates exchanged meanwhile."""

import asyncio
import json
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.edge import Listener
from gateway.edge.certificates import CertificateFiles, Certificates, TlsRequirements
from gateway.edge.handshake import HandshakeOptions
from tests.authority import Authority
from tests.fakes import until
from tests.raw_client import RawClient
from tests.unit.edge.handshaking import RecordedEvents, listening
from tests.unit.edge.listening import GET, LIMITS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def secure(
    authority: Authority, requirements: TlsRequirements | None = None, timeout_s: float = 10.0, **more: Any
) -> AsyncIterator[tuple[Listener, int, RecordedEvents]]:
    events = RecordedEvents()
    certificates = Certificates(
        [CertificateFiles(*authority.write("localhost", "localhost"))], requirements or TlsRequirements(), events
    )
    async with listening(options=HandshakeOptions(events, certificates, timeout_s), **more) as (listener, port):
        yield listener, port, events


async def call(port: int, client: ssl.SSLContext) -> RawClient:
    async with asyncio.timeout(10):
        return await RawClient.connect(port, ssl=client, server_hostname="localhost")


async def test_requests_come_by_https(authority: Authority) -> None:
    async with secure(authority) as (listener, port, events):
        async with await call(port, authority.client()) as client:
            for _ in range(3):
                await client.send(GET)
                seen = json.loads((await client.reply()).body)
                assert (seen["scheme"], seen["peer"]) == ("https", "127.0.0.1")
            assert listener.busy
        await until(lambda: not listener.busy)
        assert events.failed == []


async def test_an_ipv4_peer_of_a_socket_for_both_versions_is_an_ipv4_peer(authority: Authority) -> None:
    async with (
        secure(authority, host="::", trusted=("127.0.0.0/8",)) as (_, port, _events),
        await call(port, authority.client()) as client,
    ):
        await client.send(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n")
        seen = json.loads((await client.reply()).body)
        assert (seen["peer"], seen["client"], seen["trusted"]) == ("127.0.0.1", "203.0.113.1", True)


async def test_a_refused_upload_is_answered(authority: Authority) -> None:
    limits = msgspec.structs.replace(LIMITS, body_bytes=1000)
    async with secure(authority, limits=limits) as (_, port, _events), await call(port, authority.client()) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        reply = await client.reply()
        assert (reply.status, reply.field("X-Fault"), reply.field("Connection")) == (413, "body_too_large", "close")


async def test_the_end_of_sending_is_the_end(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    async with secure(authority) as (listener, port, _):
        async with await call(port, authority.client()) as client:
            await client.send(b"GET /a HT")
            client.close()
            assert await client.at_eof()
        await until(lambda: not listener.busy)
    assert caplog.messages == []


async def test_plain_http_is_answered_in_plain_words(authority: Authority) -> None:
    async with secure(authority) as (_, port, events), await RawClient.connect(port) as client:
        await client.send(GET)
        reply = await client.reply()
        assert (reply.status, reply.field("X-Fault"), reply.field("Connection")) == (400, "malformed_request", "close")
        assert b"https" in reply.body
        assert await client.at_eof()
        assert events.failed == ["not_tls"]


async def test_tls_on_a_plain_port_is_refused(authority: Authority) -> None:
    async with listening() as (_, port):
        with pytest.raises(ssl.SSLError):
            await call(port, authority.client())


async def test_somebody_who_only_asks_whether_the_port_is_open_is_not_a_failure(authority: Authority) -> None:
    async with secure(authority) as (listener, port, events):
        (await RawClient.connect(port)).abort()
        async with await RawClient.connect(port) as client:
            client.finish_sending()
            assert await client.at_eof()
        await until(lambda: not listener.busy)
        assert set(events.failed) <= {"closed"}  # a reset, where the end of sending would be quiet


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (b"\x16", "timeout"),
        (b"", "timeout"),
        (b"\x16\x03\x01\x00\x05hello", "protocol"),
    ],
)
async def test_what_is_no_handshake_ends(authority: Authority, begin: bytes, reason: str) -> None:
    async with secure(authority, timeout_s=0.1) as (_, port, events), await RawClient.connect(port) as client:
        await client.send(begin)
        await client.rest()
        assert events.failed == [reason]


async def test_a_client_that_breaks_off_is_counted(authority: Authority) -> None:
    async with secure(authority) as (listener, port, events):
        async with await RawClient.connect(port) as client:
            await client.send(b"\x16\x03\x01")
            client.finish_sending()
            await client.rest()
        await until(lambda: not listener.busy)
        assert events.failed == ["closed"]


async def test_a_client_that_does_not_believe_us_is_counted(authority: Authority, tmp_path: Path) -> None:
    def disbelieve(port: int) -> None:  # with a blocking socket: asyncio hangs up before its alert is sent
        context = Authority(tmp_path / "other").client()
        with (
            socket.create_connection(("127.0.0.1", port)) as sock,
            pytest.raises(ssl.SSLCertVerificationError),
            context.wrap_socket(sock, server_hostname="localhost"),
        ):
            pass

    async with secure(authority) as (_, port, events):
        await asyncio.to_thread(disbelieve, port)
        await until(lambda: bool(events.failed))
        assert events.failed == ["refused_by_client"]


@pytest.mark.parametrize("stranger", [True, False])
async def test_a_client_without_a_certificate_that_counts_is_refused(
    authority: Authority, tmp_path: Path, *, stranger: bool
) -> None:
    pair = Authority(tmp_path / "other").write("c", "c.example") if stranger else ()

    async def ask(port: int) -> None:
        async with await call(
            port, authority.client(*pair)
        ) as client:  # TLS 1.3: the client learns of it when it reads
            await client.send(GET)
            await client.reply()

    async with secure(authority, TlsRequirements(client_ca=str(authority.ca))) as (_, port, events):
        with pytest.raises((ssl.SSLError, EOFError, ConnectionError)):
            await ask(port)
        await until(lambda: bool(events.failed))
        assert events.failed == ["client_certificate_refused" if stranger else "client_certificate_missing"]


@pytest.mark.parametrize("known", [True, False])
async def test_the_subject_of_a_certificate_is_noted(authority: Authority, *, known: bool) -> None:
    pair = authority.write("client", "client.example", common_name="billing") if known else ()
    async with secure(authority, TlsRequirements(client_ca=str(authority.ca), client_required=False)) as (
        _,
        port,
        events,
    ):
        context = authority.client(*pair)
        for _round in range(2):
            async with await call(port, context) as client:
                await client.send(GET)
                subject = json.loads((await client.reply()).body)["subject"]
                assert subject.startswith("CN=billing,") if known else subject == ""
        assert events.failed == []


async def test_a_connection_that_is_to_close_does(authority: Authority) -> None:
    async with secure(authority) as (_, port, _events), await call(port, authority.client()) as client:
        await client.send(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert (await client.reply()).status == 200
        assert await client.at_eof()


async def test_a_silent_handshake_can_be_cut(authority: Authority) -> None:
    async with secure(authority) as (listener, port, _), await RawClient.connect(port) as client:
        await client.send(b"\x16")
        await until(lambda: listener.busy)
        listener.stop_accepting()
        listener.cut()
        await client.rest()
        await until(lambda: not listener.busy)


async def test_what_has_arrived_is_served_while_draining(authority: Authority) -> None:
    async with secure(authority) as (listener, port, _):
        sock = socket.create_connection(("127.0.0.1", port))
        await until(lambda: listener.busy)
        listener.stop_accepting()
        sock.settimeout(0)
        async with asyncio.timeout(10):
            client = RawClient(
                *await asyncio.open_connection(sock=sock, ssl=authority.client(), server_hostname="localhost")
            )
        async with client:
            await client.send(GET)
            assert (await client.reply()).field("Connection") == "close"


async def test_what_waits_in_the_backlog_is_served_while_draining(authority: Authority) -> None:
    async with secure(authority) as (listener, port, _):
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        listener.stop_accepting()  # before the loop could turn
        for sock in waiting:
            sock.settimeout(0)
            async with asyncio.timeout(10):
                client = RawClient(
                    *await asyncio.open_connection(sock=sock, ssl=authority.client(), server_hostname="localhost")
                )
            async with client:
                await client.send(GET)
                assert (await client.reply()).status == 200


async def test_without_free_file_descriptors_connections_wait(authority: Authority) -> None:
    async with secure(authority) as (_, port, events):
        sock = socket.socket()
        sock.settimeout(0)
        free = os.dup(0)
        os.close(free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            sock.connect_ex(("127.0.0.1", port))
            await until(lambda: bool(events.held_up))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        async with asyncio.timeout(10):
            client = RawClient(
                *await asyncio.open_connection(sock=sock, ssl=authority.client(), server_hostname="localhost")
            )
        async with client:
            await client.send(GET)
            assert (await client.reply()).status == 200
        assert events.failed == []


async def test_no_handshake_fails_while_certificates_are_exchanged(authority: Authority) -> None:
    async with secure(authority) as (listener, port, events):
        listener.CERTIFICATES_S = 0.0  # at every sweep
        listener.SWEEP_S = 0.005
        listener._sweep()
        client = authority.client()

        async def one() -> None:
            async with await call(port, client) as raw:
                await raw.send(GET)
                assert (await raw.reply()).status == 200

        async with await call(port, client) as lasting:
            for number in range(25):
                authority.write("localhost", "localhost")
                if number % 2:
                    authority.spoil("localhost")
                await asyncio.gather(*(one() for _ in range(6)))
                await lasting.send(GET)
                assert (await lasting.reply()).status == 200
        assert events.failed == []
        assert len(events.read) > 5
        assert events.refused
