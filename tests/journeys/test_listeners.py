"""Listeners of a whole gateway that do more than plain HTTP."""

import asyncio
import json
import socket
import stat
from contextlib import AsyncExitStack
from pathlib import Path

from tests.authority import Authority
from tests.fakes import RawBackend
from tests.gateway_process import KEY, configuration, running
from tests.raw_client import RawClient

CALL = f"GET /v1/a HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {KEY}\r\n\r\n".encode()


def server(listener: str, address: str = "127.0.0.1:0") -> str:
    return f'{{drain_delay: 0s, drain_timeout: 5s, listeners: [{{id: public, address: "{address}", {listener}}}]}}'


async def test_https_from_the_client_to_the_header_that_shows_the_service(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.write("tls", "localhost")
    with_tls = server("tls: {certificates: [{certificate: tls.crt, private_key: tls.key}]}")
    async with RawBackend() as backend:
        with running(configuration(backend.port, server=with_tls), tmp_path) as gateway:
            async with await RawClient.connect(
                gateway.port, ssl=authority.client(), server_hostname="localhost"
            ) as client:
                await client.send(CALL)
                assert (await client.reply()).status == 200
            assert b"X-Forwarded-Proto: https\r\n" in backend.requests[0].head
            metrics = gateway.admin("/metrics")[1]
            assert (
                f'gateway_tls_certificate_expiry_timestamp_seconds{{certificate="{tmp_path}/tls.crt",listener="public"}}'
                in metrics
            )
            assert gateway.terminate() == 0


async def test_a_connection_with_tls_keeps_little_of_its_handshake(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.write("tls", "localhost")
    with_tls = server("tls: {certificates: [{certificate: tls.crt, private_key: tls.key}]}")
    client_tls, most = authority.client(), 38 * 1024
    with running(configuration(1, server=with_tls), tmp_path) as gateway:
        async with AsyncExitStack() as stack:

            async def connect(number: int) -> int:
                for _ in range(number):
                    connecting = await RawClient.connect(gateway.port, ssl=client_tls, server_hostname="localhost")
                    client = await stack.enter_async_context(connecting)
                    await client.send(b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert (await client.reply()).status == 404
                return gateway.rss_bytes()

            before = await connect(50)
            assert await connect(250) - before < 250 * most


async def test_a_unix_socket_from_its_start_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    trusting = server('mode: "0600", trusted_proxies: [unix]', f"unix:{path}")
    with running(
        configuration(1, server=trusting, routes="[{id: all, match: {prefix: /}, upstream: backend}]"), tmp_path
    ) as gateway:
        assert gateway.started["listeners"] == [f"unix:{path}"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with RawClient(*await asyncio.open_unix_connection(str(path))) as client:
            await client.send(b"GET /v1/a HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await client.reply()).status == 401
            await client.send(b"GET /v1/a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
            assert (await client.reply()).status == 401
        for address in ("unix", "203.0.113.9"):
            assert (await gateway.record("client.address", address))["gateway.reason"] == "key_missing"
        assert gateway.terminate() == 0
    assert not path.exists()


async def test_the_client_that_a_proxy_speaks_for(tmp_path: Path) -> None:
    behind = server('proxy_protocol: true, trusted_proxies: ["127.0.0.1/32"]')
    async with RawBackend() as backend:
        with running(configuration(backend.port, server=behind), tmp_path) as gateway:
            async with await RawClient.connect(gateway.port) as client:
                await client.send(b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n" + CALL)
                assert (await client.reply()).status == 200
            assert b"X-Forwarded-For: 203.0.113.9\r\n" in backend.requests[0].head
            await gateway.record("client.address", "203.0.113.9")
            async with await RawClient.connect(gateway.port) as client:
                await client.send(CALL)
                assert await client.rest() == b""
            assert (
                'gateway_proxy_protocol_refused_total{listener="public",reason="malformed"} 1'
                in gateway.admin("/metrics")[1]
            )


async def test_a_listener_that_sends_everybody_to_https(tmp_path: Path) -> None:
    sending = server("redirect: https, redirect_port: 8443")
    with running(configuration(1, server=sending), tmp_path) as gateway:
        async with await RawClient.connect(gateway.port) as client:
            await client.send(f"GET /v1/a%2Fb?a=1&X-Api-Key={KEY}&b=2 HTTP/1.1\r\nHost: localhost:80\r\n\r\n".encode())
            reply = await client.reply()
            assert (reply.status, reply.field("Location")) == (308, "https://localhost:8443/v1/a%2Fb?a=1&b=2")
            envelope = json.loads(reply.body)
            assert (envelope["status"], envelope["requestId"]) == ("SUCCESS", reply.field("X-Request-Id"))
            await client.send(b"POST /v1/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
            assert (await client.reply()).status == 308
        for wrong in (b"GET /v1/a HTTP/1.1\r\nHost: evil/@a\r\n\r\n", b"GET /v1/a HTTP/1.0\r\n\r\n"):
            async with await RawClient.connect(gateway.port) as client:
                await client.send(wrong)
                reply = await client.reply()
                assert (reply.status, reply.field("Location")) == (400, None)
        assert (await gateway.record("http.response.status_code", 308))["client.address"] == "127.0.0.1"
        assert gateway.terminate() == 0
        assert KEY not in "".join(gateway.lines)


async def test_a_certificate_that_says_who_calls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.write("tls", "localhost")
    ours = authority.write("billing", "billing.example", common_name="billing")
    other = authority.write("other", "other.example", common_name="other")
    subject = authority.subject("billing")
    requesting = server(
        "tls: {certificates: [{certificate: tls.crt, private_key: tls.key}], client_ca: ca.pem, client_auth: optional}"
    )
    keys = f'[{{id: billing, certificate_subject: "{subject}", organizations: [acme], plan: unlimited}}]'
    request = b"GET /v1/a HTTP/1.1\r\nHost: localhost\r\nX-Client-Certificate-Subject: CN=forged\r\n\r\n"
    async with RawBackend() as backend:
        with running(configuration(backend.port, server=requesting, keys=keys), tmp_path) as gateway:
            for pair, status in ((ours, 200), (other, 401), ((), 401)):
                client_tls = authority.client(*pair)
                async with await RawClient.connect(gateway.port, ssl=client_tls, server_hostname="localhost") as client:
                    await client.send(request)
                    assert (await client.reply()).status == status
            (forwarded,) = backend.requests
            assert f"X-Client-Certificate-Subject: {subject}\r\n".encode() in forwarded.head
            assert b"X-Caller-Id: billing\r\n" in forwarded.head
            assert b"forged" not in forwarded.head


async def test_who_is_too_many_is_reported_so_and_the_others_are_served(tmp_path: Path) -> None:
    most, more = 4, 200
    async with RawBackend() as backend:
        with running(
            configuration(backend.port, server=server(f"limits: {{connections: {most}}}")), tmp_path
        ) as gateway:

            async def call(client: RawClient) -> int:
                await client.send(CALL)
                return (await client.reply()).status

            async def crowded() -> int:
                async with await RawClient.connect(gateway.port) as client:
                    return await call(client)

            async with AsyncExitStack() as stack:
                served = [await stack.enter_async_context(await RawClient.connect(gateway.port)) for _ in range(most)]
                assert [await call(client) for client in served] == [200] * most
                assert await asyncio.gather(*[crowded() for _ in range(more)]) == [503] * more
                assert [await call(client) for client in served] == [200] * most
            async with asyncio.timeout(5):
                while await crowded() != 200:
                    pass
            metrics = gateway.admin("/metrics")[1].splitlines()
            (refused,) = [
                float(line.split()[1])
                for line in metrics
                if line.startswith("gateway_client_connections_refused_total{")
            ]
            assert refused >= more
            assert sum('"too many connections' in line for line in gateway.lines) == 1
