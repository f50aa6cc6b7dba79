"""Listeners of a whole gateway that do more than plain HTTP."""

from pathlib import Path

from tests.authority import Authority
from tests.fakes import RawBackend
from tests.gateway_process import KEY, configuration, running
from tests.raw_client import RawClient

CALL = f"GET /v1/a HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {KEY}\r\n\r\n".encode()


def server(listener: str) -> str:
    return f'{{drain_delay: 0s, drain_timeout: 5s, listeners: [{{id: public, address: "127.0.0.1:0", {listener}}}]}}'


async def test_https_from_the_client_to_the_header_that_tells_the_service(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.write("tls", "localhost")
    with_tls = server("tls: {certificates: [{certificate: tls.crt, private_key: tls.key}]}")
    async with RawBackend() as backend:
        with running(configuration(backend.port, server=with_tls), tmp_path) as gateway:
            async with await RawClient.connect(gateway.port, ssl=authority.client(), server_hostname="localhost") as client:
                await client.send(CALL)
                assert (await client.reply()).status == 200
            assert b"X-Forwarded-Proto: https\r\n" in backend.requests[0].head
            metrics = gateway.admin("/metrics")[1]
            assert f'gateway_tls_certificate_expiry_timestamp_seconds{{certificate="{tmp_path}/tls.crt",listener="public"}}' in metrics
            assert gateway.terminate() == 0
