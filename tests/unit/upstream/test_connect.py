"""upstream/connect.py: endpoints, and connections to them."""

import asyncio
import errno
import socket
import ssl
import threading
import time
from typing import Any

import pytest
import trustme

from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    UPSTREAM_CONNECT_TIMEOUT,
    UPSTREAM_NAME_UNRESOLVED,
    UPSTREAM_REFUSED,
    UPSTREAM_TLS_FAILED,
    UPSTREAM_UNREACHABLE,
    Fault,
    GatewayError,
)
from gateway.net.name_resolver import NameResolver
from gateway.upstream.connect import Endpoint, connect, endpoint_of
from tests.fakes import End, RawBackend, Script, script


def resolver_of(*hosts: str) -> NameResolver:
    """A resolver that returns `hosts` for any name; without any, one that never answers."""

    def lookup(_: str) -> list[str]:
        if not hosts:
            threading.Event().wait()
        return [*hosts]

    return NameResolver(Clock(time.monotonic, time.time), lookup=lookup)


async def connect_to(
    to: Endpoint, names: NameResolver | None = None, within_s: float = 1.0, loop: Any = None
) -> asyncio.Protocol:
    loop = loop or asyncio.get_running_loop()
    return await connect(
        loop, to, asyncio.Protocol, loop.time() + within_s, names or NameResolver(Clock(time.monotonic, time.time))
    )


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
        return port


class TestEndpoint:
    @pytest.mark.parametrize(
        ("url", "text"), [("http://h", "h:80"), ("http://h:3000/base", "h:3000"), ("http://[::1]:3000", "[::1]:3000")]
    )
    def test_of_http(self, url: str, text: str) -> None:
        assert str(endpoint_of(url, None, None)) == text

    def test_the_authority_has_no_default_port(self) -> None:
        tls = ssl.create_default_context()
        known = [
            endpoint_of("http://h", None, None),
            endpoint_of("http://[::1]:443", None, None),
            endpoint_of("https://h:443", tls, None),
        ]
        assert [each.authority for each in known] == ["h", "[::1]:443", "h"]
        assert endpoint_of("https://h:80", tls, None).authority == "h:80"

    @pytest.mark.parametrize("url", ["ftp://h", "h:80", "http://", "http://h:x", "https://h"])
    def test_bad(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"URL|[Pp]ort|TLS"):
            endpoint_of(url, None, None)


async def test_a_name(unused_port: int) -> None:
    async with RawBackend() as backend:
        await connect_to(Endpoint("localhost", backend.port))
    with pytest.raises(GatewayError) as caught:
        await connect_to(Endpoint("localhost", unused_port))
    assert caught.value.fault is UPSTREAM_REFUSED
    assert (caught.value.cause or "").startswith(f"localhost:{unused_port} (")


async def test_the_next_address_is_tried() -> None:
    async with RawBackend() as backend:
        # The backend listens on the second one only
        await connect_to(Endpoint("orders.internal", backend.port), resolver_of("127.0.0.2", "127.0.0.1"))
        assert backend.connections <= 1


async def test_the_fault_is_that_of_the_last_address(unused_port: int) -> None:
    with pytest.raises(GatewayError) as caught:
        await connect_to(Endpoint("orders.internal", unused_port), resolver_of("127.0.0.2", "127.0.0.3"))
    assert caught.value.fault is UPSTREAM_REFUSED
    assert caught.value.cause == f"orders.internal:{unused_port} (127.0.0.3): Connection refused"


# Neither is a name that a resolver would be asked for
@pytest.mark.parametrize("name", ["x" * 64, "a..b"])
async def test_no_such_name(name: str) -> None:
    with pytest.raises(GatewayError) as caught:
        await connect_to(Endpoint(name, 80))
    assert caught.value.fault is UPSTREAM_NAME_UNRESOLVED


async def test_a_name_lookup_that_never_ends() -> None:
    with pytest.raises(GatewayError) as caught:
        await connect_to(Endpoint("orders.internal", 80), resolver_of(), 0.05)
    assert caught.value.fault is UPSTREAM_CONNECT_TIMEOUT


class LoopWithoutNetwork:
    """An event loop on a machine without a network."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(self, *_: Any, **__: Any) -> None:
        raise OSError(errno.ENETUNREACH, "in words of the loop")


async def test_unreachable() -> None:
    with pytest.raises(GatewayError) as caught:
        await connect_to(Endpoint("127.0.0.1", 80), loop=LoopWithoutNetwork())
    assert caught.value.fault is UPSTREAM_UNREACHABLE
    assert caught.value.cause == "127.0.0.1:80: Network is unreachable"


@pytest.mark.parametrize(
    ("greeting", "fault"),
    [
        (script(b"220 smtp ready\r\n", End.NEVER), UPSTREAM_TLS_FAILED),
        (script(End.CLOSE), UPSTREAM_TLS_FAILED),
        (script(End.NEVER), UPSTREAM_CONNECT_TIMEOUT),
    ],
    ids=["not TLS", "closed", "silent"],
)
async def test_a_failed_tls_handshake(greeting: Script, fault: Fault) -> None:
    async with RawBackend(greeting=greeting) as backend:
        with pytest.raises(GatewayError) as caught:
            await connect_to(
                Endpoint("127.0.0.1", backend.port, ssl.create_default_context(), "127.0.0.1"), within_s=0.3
            )
        assert caught.value.fault is fault


async def test_a_certificate_of_an_unknown_authority() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with RawBackend(tls=context) as backend:
        with pytest.raises(GatewayError) as caught:
            await connect_to(Endpoint("127.0.0.1", backend.port, ssl.create_default_context(), "127.0.0.1"))
        assert caught.value.fault is UPSTREAM_TLS_FAILED
        assert "unable to get local issuer certificate" in (caught.value.cause or "")
