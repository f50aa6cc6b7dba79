"""admin/listener.py: the names by which it may be asked, and the forms of its replies."""

import aiohttp
import pytest

from gateway.admin.listener import AdminListener
from tests.unit.admin.asked import State, raw


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9901", 200),
        ("LocalHost", 200),
        ("127.0.0.1", 200),
        ("[::1]:9901", 200),
        ("192.0.2.7:80", 200),
        ("gateway.internal:9901", 200),
        ("Gateway.Internal.", 200),
        ("gateway.internal.attacker.example", 421),
        ("attacker.example:9901", 421),
        ("127.0.0.1.attacker.example", 421),
        ("", 421),
    ],
)
async def test_only_names_that_it_was_given_are_answered(state: State, host: str, status: int) -> None:
    """A page in a browser could point a name of its own here, and read what is answered."""
    admin = AdminListener("127.0.0.1:0", state.node, state.readiness, hosts=["gateway.internal"])
    await admin.start()
    try:
        reply = await raw(admin, f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert int(reply.split(b" ", 2)[1]) == status
        assert b" 200 " in await raw(admin, b"GET /healthz HTTP/1.0\r\n\r\n")
    finally:
        await admin.close()


@pytest.mark.parametrize(
    ("wanted", "packed"), [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("br", False)]
)
async def test_a_scrape_is_compressed_when_that_is_wanted(
    client: aiohttp.ClientSession, wanted: str, *, packed: bool
) -> None:
    async with client.get("/metrics", headers={"Accept-Encoding": wanted}) as reply:
        assert reply.headers.get("Content-Encoding") == ("gzip" if packed else None)
        assert "gateway_requests_in_flight" in await reply.text()


async def test_openmetrics_may_be_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text;q=0, text/plain"}) as reply:
        assert reply.content_type == "text/plain"
