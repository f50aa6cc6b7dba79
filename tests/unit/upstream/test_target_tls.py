"""upstream/target.py and upstream/tls.py: calls over https."""

import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from gateway.kernel.faults import UPSTREAM_CONNECT_TIMEOUT, UPSTREAM_INCOMPLETE, UPSTREAM_TLS_FAILED
from gateway.upstream.tls import TlsFiles
from tests.fakes import End, RawBackend, reply, script
from tests.unit.upstream.calls import Make, call, fails


class Certificates(NamedTuple):
    authority: trustme.CA
    ca: Path
    client: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("gateway@example.com").private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    return Certificates(authority, folder / "ca.pem", folder / "client.pem")


def server(certificates: Certificates, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.authority.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
    return context


async def test_own_authority(make: Make, certificates: Certificates) -> None:
    async with RawBackend(tls=server(certificates)) as backend:
        upstream = make(backend.url, tls=TlsFiles(ca=certificates.ca))
        for _ in range(3):
            assert (await upstream.send(call())).body == b"{}"
        assert backend.connections == 1


async def test_the_systems_authorities_do_not_know_it(make: Make, certificates: Certificates) -> None:
    async with RawBackend(tls=server(certificates)) as backend:
        error = await fails(make(backend.url), call())
        assert error.fault is UPSTREAM_TLS_FAILED
        assert "unable to get local issuer certificate" in (error.cause or "")


async def test_every_certificate_is_accepted_without_verification(make: Make, certificates: Certificates) -> None:
    async with RawBackend(tls=server(certificates, "elsewhere.example")) as backend:
        assert (await make(backend.url, tls=TlsFiles(verify=False)).send(call())).status == 200


async def test_server_name(make: Make, certificates: Certificates) -> None:
    async with RawBackend(tls=server(certificates, "orders.internal")) as backend:
        error = await fails(make(backend.url, tls=TlsFiles(ca=certificates.ca)), call())
        assert error.fault is UPSTREAM_TLS_FAILED
        assert "IP address mismatch" in (error.cause or "")
        assert (
            await make(backend.url, tls=TlsFiles(ca=certificates.ca), server_name="orders.internal").send(call())
        ).status == 200


async def test_client_certificate(make: Make, certificates: Certificates) -> None:
    context = server(certificates)
    context.verify_mode = ssl.CERT_REQUIRED
    certificates.authority.configure_trust(context)
    async with RawBackend(tls=context) as backend:
        known = make(backend.url, tls=TlsFiles(ca=certificates.ca, certificate=certificates.client))
        assert (await known.send(call())).status == 200
        await fails(make(backend.url, tls=TlsFiles(ca=certificates.ca)), call())


async def test_the_other_side_does_not_speak_tls(make: Make) -> None:
    async with RawBackend(greeting=script(b"220 smtp ready\r\n", End.NEVER)) as backend:
        error = await fails(make(backend.url.replace("http:", "https:")), call())
        assert error.fault is UPSTREAM_TLS_FAILED


async def test_the_other_side_closes_during_the_handshake(make: Make) -> None:
    async with RawBackend(greeting=script(End.CLOSE)) as backend:
        error = await fails(make(backend.url.replace("http:", "https:")), call())
        assert error.fault is UPSTREAM_TLS_FAILED


async def test_the_other_side_is_silent_during_the_handshake(make: Make) -> None:
    async with RawBackend(greeting=script(End.NEVER)) as backend:
        error = await fails(make(backend.url.replace("http:", "https:")), call(connect_s=0.1))
        assert error.fault is UPSTREAM_CONNECT_TIMEOUT
        await backend.closed(0)


async def test_an_end_is_clean_only_with_close_notify(make: Make, certificates: Certificates) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    async with RawBackend(
        script(head, b"ab", End.CLOSE), script(head, b"ab", End.CUT), tls=server(certificates)
    ) as backend:
        upstream = make(backend.url, tls=TlsFiles(ca=certificates.ca))
        assert (await upstream.send(call())).body == b"ab"
        assert (await fails(upstream, call())).fault is UPSTREAM_INCOMPLETE
        assert (await upstream.send(call())).body == b"{}"


async def test_large_bodies(make: Make, certificates: Certificates) -> None:
    body = bytes(range(256)) * 8192
    async with RawBackend(script(reply(body)), tls=server(certificates)) as backend:
        upstream = make(backend.url, tls=TlsFiles(ca=certificates.ca))
        answer = await upstream.send(call(b"POST", body, buffer_bytes=len(body)))
        assert answer.body == body
        assert backend.requests[0].size == len(body)
        assert upstream.idle == 1
