"""Replies that clients do not read, or abandon, take no memory from others: seen from outside a gateway process."""

import asyncio
import json
from pathlib import Path

from tests.fakes import RawBackend, reply, script, until
from tests.gateway_process import KEY, configuration, digest, running
from tests.journeys.backends import clients, counted, requesting
from tests.raw_client import RawClient

MIB = 1 << 20
KEYS = {"tester": KEY, "other": "gw_test_of_another_caller"}
LARGE = b"[" + b" " * (7 * MIB) + b"]"
SERVER = """{workers: 1, drain_delay: 0s, drain_timeout: 5s, limits: {unread: 8MiB},
  listeners: [{id: public, address: "127.0.0.1:0"}]}"""


async def test_uploads_that_are_given_up_leave_nothing_in_memory(tmp_path: Path) -> None:
    async with RawBackend() as backend:
        with running(configuration(backend.port), tmp_path) as gateway:

            async def given_up() -> None:
                async with await RawClient.connect(gateway.port) as client:
                    await client.send(requesting("POST", "/v1/a", "Content-Length: 260000") + b"x" * 250_000)

            for _ in range(6):  # as many at once as there ever are
                await asyncio.gather(*(given_up() for _ in range(50)))
            before = gateway.rss_bytes()
            for _ in range(12):
                await asyncio.gather(*(given_up() for _ in range(50)))
            await gateway.record("gateway.reason", "malformed_request")
            assert gateway.rss_bytes() - before < 20 * MIB


async def test_who_leaves_too_much_unread_is_cut_and_reported_of_in_the_log(tmp_path: Path) -> None:
    async with RawBackend(default=script(reply(LARGE))) as backend:
        with running(configuration(backend.port, server=SERVER), tmp_path) as gateway:
            async with clients(gateway, 20) as readers:
                for client in readers:
                    client.stop_reading()
                    await client.send(requesting("GET", "/v1/a"))
                line = json.loads(await gateway.line(lambda line: '"reply_not_taken"' in line, within_s=20))
                assert (line["http.response.status_code"], line["gateway.outcome"]) == (499, "abandoned")
                # Before that replies still arrive, and whoever has begun to read one may be cut for the next.
                await until(lambda: counted(gateway, "gateway_replies_not_taken_total") >= 19)
                await until(lambda: counted(gateway, "gateway_unread_bytes") <= 8 * MIB)
                async with await RawClient.connect(gateway.port) as other:
                    await other.send(requesting("GET", "/v1/b"))
                    assert LARGE in (await other.reply()).body
                assert "gateway_replies_not_taken_total 0" not in gateway.admin("/metrics")[1]
            await until(lambda: counted(gateway, "gateway_unread_bytes") == 0)


async def test_clients_that_do_not_read_leave_connections_to_others(tmp_path: Path) -> None:
    image = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % (64 * MIB) + b"x" * (12 * MIB)
    async with RawBackend(*[script(image, asyncio.Event())] * 2, default=script(reply(b"{}"))) as backend:
        keys = [
            f"{{id: {name}, secret_sha256: {digest(key)}, organizations: [acme], plan: unlimited}}"
            for name, key in KEYS.items()
        ]
        upstreams = f'[{{id: backend, targets: [{{url: "http://127.0.0.1:{backend.port}"}}], connections: {{max: 4}}}}]'
        with running(
            configuration(
                backend.port,
                defaults="{envelope: {binary: passthrough}}",
                upstreams=upstreams,
                keys=f"[{', '.join(keys)}]",
            ),
            tmp_path,
        ) as gateway:
            two = [await RawClient.connect(gateway.port) for _ in range(2)]
            for client in two:
                await client.send(requesting("GET", "/v1/image"))
                assert await client.interim() == 200
                client.stop_reading()
            async with await RawClient.connect(gateway.port) as same:
                await same.send(requesting("GET", "/v1/image"))
                refused = await same.reply()
                assert (refused.status, b"as one caller may" in refused.body) == (503, True)
            async with await RawClient.connect(gateway.port) as other:
                for _ in range(4):
                    await other.send(requesting("GET", "/v1/a", key=KEYS["other"]))
                    assert (await other.reply()).status == 200
            for client in two:
                client.abort()
