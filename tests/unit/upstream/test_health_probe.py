"""upstream/health_probe.py: one check of targets that are healthy, failing or malicious."""

import asyncio
import ssl
import time

import pytest
import trustme

from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    UPSTREAM_HEADERS_TOO_LARGE,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_REFUSED,
    UPSTREAM_RESET,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TLS_FAILED,
    Fault,
    GatewayError,
)
from gateway.net.name_resolver import NameResolver
from gateway.upstream.connect import endpoint_of
from gateway.upstream.health_probe import _Head, probe
from gateway.upstream.http1.framing import Origin
from tests.fakes import End, RawBackend, Script, reply, script

NAMES = NameResolver(Clock(time.monotonic, time.time))
ORIGIN = Origin(b"/base", b"Host: orders.internal\r\n")


async def seen(backend: RawBackend, context: ssl.SSLContext | None = None, timeout_s: float = 5.0) -> int:
    return await probe(endpoint_of(backend.url, context, None), ORIGIN, b"/healthz?full=1", timeout_s, NAMES)


async def test_the_request(unused_tcp_port: int) -> None:
    async with RawBackend() as backend:
        assert await seen(backend) == 200
        await backend.closed(0)
        assert backend.requests[0].head == (
            b"GET /base/healthz?full=1 HTTP/1.1\r\nHost: orders.internal\r\n"
            b"User-Agent: gateway-health-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
    with pytest.raises(GatewayError) as caught:
        await probe(endpoint_of(f"http://127.0.0.1:{unused_tcp_port}", None, None), ORIGIN, b"/", 5.0, NAMES)
    assert caught.value.fault is UPSTREAM_REFUSED


@pytest.mark.parametrize(
    ("played", "status"),
    [
        (script(reply(status=b"503 Service Unavailable")), 503),
        (script(reply(b"", b"Location: http://elsewhere/", status=b"302 Found")), 302),
        (script(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 No Content\r\n\r\n"), 204),
        (script(b"HTTP/1.1 200 OK\r\n", b"Content-Length: 1000000000\r\n\r\n", b"the body", End.NEVER), 200),
    ],
    ids=["ill", "elsewhere", "after a 1xx", "a body that never ends"],
)
async def test_the_status_is_returned(played: Script, status: int) -> None:
    async with RawBackend(played) as backend:
        assert await seen(backend) == status
        await backend.closed(0)
        assert backend.connections == 1


async def drip(writer: asyncio.StreamWriter) -> None:
    """A head that never ends, a little at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(0.005, later.set)
        await later.wait()


@pytest.mark.parametrize(
    ("played", "fault"),
    [
        (script(End.NEVER), UPSTREAM_TIMEOUT),
        (script(drip), UPSTREAM_TIMEOUT),
        (script(End.CLOSE), UPSTREAM_RESET),
        (script(End.RESET), UPSTREAM_RESET),
        (script(b"HTTP/1.1 200 OK\r\nX:", End.CLOSE), UPSTREAM_RESET),
        (script(b"SSH-2.0-OpenSSH_9.2p1\r\n"), UPSTREAM_PROTOCOL_ERROR),
        (script(b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"a" * 1000) * 80), UPSTREAM_HEADERS_TOO_LARGE),
        (script(b"HTTP/1.1 102 Processing\r\n\r\n" * 99), UPSTREAM_TIMEOUT),
        (script(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), UPSTREAM_PROTOCOL_ERROR),
    ],
    ids=["silent", "dripping", "closed", "reset", "cut", "not HTTP", "endless head", "endless 1xx", "switching"],
)
async def test_faults(played: Script, fault: Fault) -> None:
    async with RawBackend(played) as backend:
        with pytest.raises(GatewayError) as caught:
            await seen(backend, timeout_s=0.2 if fault is UPSTREAM_TIMEOUT else 5.0)
        assert caught.value.fault is fault
        assert f"127.0.0.1:{backend.port}: " in (caught.value.cause or "")
        await backend.closed(0)


async def test_https_must_prove_who_it_is() -> None:
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting, other = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(trusting)
    async with RawBackend(tls=server) as backend:
        assert await seen(backend, trusting) == 200
        with pytest.raises(GatewayError) as caught:
            await seen(backend, other)
        assert caught.value.fault is UPSTREAM_TLS_FAILED


async def test_bytes_after_the_status_are_ignored() -> None:
    head = _Head(asyncio.get_running_loop(), "orders:80")
    head.data_received(reply())
    head.data_received(b"no reply at all")
    assert await head.status == 200
