"""admin/listener.py: pages and changes, over real sockets."""

import asyncio
import json
import logging
import tempfile
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import AdminListener
from gateway.kernel.addresses import address_rules
from gateway.observe.node_metrics import NodeMetrics
from tests.unit.admin.asked import State, raw


async def test_it_shows_its_address(admin: AdminListener) -> None:
    assert admin.address.startswith("127.0.0.1:")
    assert not admin.address.endswith(":0")
    assert repr(admin) == f"<AdminListener {admin.address} listening>"


async def test_it_is_alive_whether_ready_or_not(client: aiohttp.ClientSession) -> None:
    async with client.get("/healthz") as reply:
        assert (reply.status, reply.content_type) == (200, "application/json")
        assert await reply.json() == {"status": "alive"}
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Server"] == "gateway"


async def test_readiness_follows_the_gateway(client: aiohttp.ClientSession, state: State) -> None:
    async with client.get("/readyz") as reply:
        assert reply.status == 503
        assert await reply.json() == {"status": "not ready", "reasons": ["starting"]}
    state.reasons = []
    async with client.get("/readyz?verbose") as reply:
        assert reply.status == 200
        assert await reply.json() == {"status": "ready", "reasons": []}
    state.reasons = ["draining"]
    async with client.get("/readyz") as reply:
        assert (reply.status, (await reply.json())["reasons"]) == (503, ["draining"])


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
    ],
)
async def test_metrics_in_the_form_asked_for(
    client: aiohttp.ClientSession, state: State, accept: str, content_type: str
) -> None:
    state.metrics.requests.labels("orders", "GET", 200, "upstream").inc(3)
    async with client.get("/metrics", headers={"Accept": accept}) as reply:
        assert (reply.status, reply.headers["Content-Type"]) == (200, content_type)
        text = await reply.text()
    assert 'gateway_requests_total{code="200",method="GET",route="orders",source="upstream"} 3.0\n' in text
    assert "process_cpu_seconds_total" in text
    assert text.endswith("# EOF\n") == accept.startswith("application")


async def test_scrapes_at_one_time_are_whole(client: aiohttp.ClientSession, state: State) -> None:
    for n in range(1500):
        state.metrics.requests.labels(n, "GET", 200, "upstream").inc()

    async def scrape() -> int:
        async with client.get("/metrics") as reply:
            return (await reply.text()).count("gateway_requests_total{")

    assert await asyncio.gather(*[scrape() for _ in range(5)]) == [1500] * 5


@pytest.mark.parametrize("path", ["/", "/metrics/", "/Metrics", "/healthz/x", "/x//metrics", "/%2e%2e/etc/passwd"])
async def test_unknown_paths(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as reply:
        assert (reply.status, reply.content_type) == (404, "application/json")
        assert await reply.json() == {"error": "not found", "paths": ["/healthz", "/metrics", "/readyz"]}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_reading_is_all_there_is(client: aiohttp.ClientSession, method: str) -> None:
    async with client.request(method, "/metrics") as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
        assert await reply.json() == {"error": "method not allowed"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/nothing"])
async def test_head_is_get_without_the_body(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as got, client.head(path) as reply:
        assert (reply.status, reply.headers["Content-Type"]) == (got.status, got.headers["Content-Type"])
        assert await reply.read() == b""


@pytest.mark.parametrize(
    "request_",
    [b"CANARY\r\n\r\n", b"GET /CANARY HTTP/1.1\r\nHost a\r\n\r\n", b"GET / HTTP/1.1\r\nX-Api-Key: CAN\0ARY\r\n\r\n"],
)
async def test_a_malformed_request_gets_json_and_is_not_repeated(
    admin: AdminListener, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    head, _, body = (await raw(admin, request_)).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"aiohttp" not in head
    assert json.loads(body) == {"error": "malformed request"}
    assert "CANARY" not in caplog.text


async def test_a_failure_inside_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> tuple[bool, list[str]]:
        raise RuntimeError("what nobody outside should read")

    admin = AdminListener("127.0.0.1:0", NodeMetrics(), broken)
    await admin.start()
    try:
        head, _, body = (
            await raw(admin, b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n")
        ).partition(b"\r\n\r\n")
    finally:
        await admin.close()
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"aiohttp" not in head
    assert json.loads(body) == {"error": "internal error"}
    assert "what nobody outside should read" in caplog.text


async def test_a_reply_that_fails_on_its_way_is_cut_and_gets_no_second_head(state: State) -> None:
    async def halfway(request: web.BaseRequest) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        await reply.write(b"half")
        raise RuntimeError("broken halfway")

    admin = AdminListener("127.0.0.1:0", state.node, state.readiness)
    admin.views["/halfway"] = halfway
    await admin.start()
    try:
        answer = await raw(admin, b"GET /halfway HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    finally:
        await admin.close()
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(b"4\r\nhalf\r\n")


async def test_probes_leave_no_lines(client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with client.get("/healthz"):
        pass
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


async def test_closing_frees_the_address_and_open_connections(state: State) -> None:
    admin = AdminListener("127.0.0.1:0", state.node, state.readiness)
    await admin.start()
    host, _, port = admin.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await reader.readuntil(b"}\n")
    await admin.close()
    await admin.close()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert repr(admin).endswith(" closed>")
    again = AdminListener(f"{host}:{port}", state.node, state.readiness)
    await again.start()
    await again.close()


async def test_an_address_in_use_is_an_error_and_leaves_nothing_behind(admin: AdminListener, state: State) -> None:
    second = AdminListener(admin.address, state.node, state.readiness)
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.close()


async def test_a_name_that_nobody_knows_is_named(state: State) -> None:
    with pytest.raises(OSError, match=r"no-such-host\.invalid:81"):
        await AdminListener("no-such-host.invalid:81", state.node, state.readiness).start()


@pytest.mark.parametrize("address", ["", "localhost", "127.0.0.1:", "127.0.0.1:http", ":"])
async def test_what_is_no_address_is_an_error(address: str, state: State) -> None:
    with pytest.raises(ValueError, match="not an address"):
        await AdminListener(address, state.node, state.readiness).start()


async def test_ipv6(state: State) -> None:
    admin = AdminListener("[::1]:0", state.node, state.readiness)
    await admin.start()
    try:
        assert admin.address.startswith("[::1]:")
        async with aiohttp.ClientSession() as session, session.get(f"http://{admin.address}/healthz") as reply:
            assert reply.status == 200
    finally:
        await admin.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    # pytest's own folders have names too long for a socket.
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


async def test_a_unix_socket(state: State, folder: Path) -> None:
    admin = AdminListener(f"unix:{folder}/admin.sock", state.node, state.readiness)
    await admin.start()
    try:
        assert admin.address == f"unix:{folder}/admin.sock"
        connector = aiohttp.UnixConnector(f"{folder}/admin.sock")
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://gateway/healthz") as reply,
        ):
            assert reply.status == 200
    finally:
        await admin.close()


async def test_changes_ask_for_the_token(state: State) -> None:
    async def change(_: web.BaseRequest) -> web.StreamResponse:
        done.append(True)
        return json_reply(200, {"changed": True})

    done: list[bool] = []
    admin = AdminListener("127.0.0.1:0", state.node, state.readiness, "sesame")
    admin.changes["/change"] = change
    await admin.start()
    try:
        async with aiohttp.ClientSession(f"http://{admin.address}") as session:
            found = []
            for method, token in (
                ("GET", "Bearer sesame"),
                ("POST", ""),
                ("POST", "Bearer other"),
                ("POST", "sesame"),
                ("POST", "Basic sesame"),
            ):
                async with session.request(
                    method, "/change", headers={"Authorization": token} if token else {}
                ) as reply:
                    found.append((reply.status, (await reply.json())["error"]))
            asked, wrong = (
                "this asks for the token, as Authorization: Bearer",
                "that is not the admin.token of the configuration in force",
            )
            assert found == [(405, "method not allowed"), (401, asked), (401, wrong), (401, asked), (401, asked)]
            assert done == []
            async with session.post("/change", headers={"Authorization": "Bearer sesame"}) as reply:
                assert (reply.status, done) == (200, [True])
            admin.token = None
            async with session.post("/change", headers={"Authorization": "Bearer sesame"}) as reply:
                assert (reply.status, done) == (403, [True])
                assert "give it one, and reload it with SIGHUP" in (await reply.json())["error"]
    finally:
        await admin.close()


async def test_only_some_addresses_may_ask(admin: AdminListener, client: aiohttp.ClientSession) -> None:
    admin.addresses = address_rules((), (ip_network("127.0.0.0/8"),))
    async with client.get("/healthz") as reply:
        assert (reply.status, (await reply.json())["code"]) == (403, 1003)
    admin.addresses = address_rules((ip_network("127.0.0.1"),), ())
    async with client.get("/healthz") as reply:
        assert reply.status == 200


async def test_names_are_accepted_in_any_case(admin: AdminListener) -> None:
    admin.restrict(None, ["Ops.Example"], None)
    assert admin.hosts == {"ops.example", "localhost", "127.0.0.1"}
