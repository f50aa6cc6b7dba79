"""Many gateways on one Redis: requests are found, changes are recorded and usage is exact, also after an outage."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from gateway.accounting.query import usage_query
from gateway.accounting.statement import UsageStatement, read_statement
from tests.fakes import reply
from tests.gateway_process import GatewayProcess, configuration, digest, running
from tests.journeys.backends import Service, ask, counted, requesting
from tests.journeys.multi_worker import TOKEN, workers
from tests.journeys.test_supervisor import reloaded
from tests.raw_client import RawClient
from tests.redis_server import RedisProcess, wait_until

KEYS = {"acme": "gw_test_of_acme", "acme-ci": "gw_test_of_acme_too", "globex": "gw_test_of_globex"}
SECTIONS = {
    "organizations": "[{id: acme}, {id: globex}]",
    "plans": """
- {id: counted, limits: [], quotas: [
    {id: calls, code: 8001, kind: count, max: 1000000, charge: [{routes: [all]}]},
    {id: encoded, code: 8003, kind: sum, max: 1000000, charge: [{routes: [all]}], amount: {header: X-Encoded}}]}
""",
    "keys": "".join(
        [
            f"\n- {{id: {name}, secret_sha256: {digest(secret)}, organizations: [{name.removesuffix('-ci')}], plan: counted}}"
            for name, secret in KEYS.items()
        ]
    )
    + "\n",
    "routes": """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: open, match: {prefix: /open}, upstream: backend, auth: none}
""",
    "observability": "{log: {format: json, access: false}, usage: {}}",
}
ADMIN = f'{{address: "127.0.0.1:0", token: {TOKEN}}}'
GATEWAYS, CALLS = 10, 40


def with_redis(server: RedisProcess) -> str:
    return f'{{url: "{server.url}", timeout: 2s}}'


@asynccontextmanager
async def fleet(count: int, yaml: str, folder: Path) -> AsyncIterator[list[GatewayProcess]]:
    """That many gateways with one configuration, started a few at a time: each has to start in time."""
    few = asyncio.Semaphore(3)
    async with AsyncExitStack() as stack:

        async def start(number: int) -> GatewayProcess:
            own = folder / str(number)
            own.mkdir()
            process = running(yaml, own)
            async with few:
                gateway = await asyncio.to_thread(process.__enter__)
            stack.push_async_callback(asyncio.to_thread, process.__exit__, None, None, None)
            return gateway

        yield await asyncio.gather(*map(start, range(count)))


async def send(gateway: GatewayProcess, count: int, first: int = 0) -> Counter[tuple[str, int]]:
    """Ask a different thing each time, over one connection; who it was, or the path, with the status."""
    names = [*KEYS]
    seen: Counter[tuple[str, int]] = Counter()
    async with await RawClient.connect(gateway.port) as client:
        for number in range(first, first + count):
            name = names[number % 3]
            raw, who = {
                0: (requesting("GET", "/open/x", key=None), "open"),
                1: (requesting("GET", "/nowhere", key=None), "nowhere"),
                2: (requesting("GET", "/v1/missing", key=KEYS[name]), name),
            }.get(number % 8, (requesting("POST", "/v1/x", body=b"x" * 7, key=KEYS[name]), name))
            await client.send(raw)
            seen[who, (await client.reply()).status] += 1
    return seen


def page(gateway: GatewayProcess, path: str) -> dict[str, Any]:
    """What a page of the admin listener says."""
    status, body = gateway.admin(path)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def usage_of(server: RedisProcess, **parameters: str) -> UsageStatement:
    """Of yesterday, today and tomorrow, so that no test minds midnight."""
    today = datetime.now(UTC).date()
    period = {"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))}
    return read_statement(server.url, "gw", usage_query(period | parameters, today))


async def check_request_ids(gateways: list[GatewayProcess]) -> None:
    """What happened to a request at one gateway is found from the next one, and from each of them."""
    await asyncio.to_thread(
        wait_until, lambda: all(len(page(each, "/fleet")["gateways"]) == len(gateways) for each in gateways)
    )
    failed = [await ask(each, "GET", "/v1/missing", key=KEYS["globex"]) for each in gateways]
    ids = [answer.field("X-Request-Id") for answer in failed]
    neighbours = [*zip(ids, gateways, [*gateways[1:], gateways[0]], strict=True)]
    for request_id, own, other in [*neighbours, *[(ids[0], gateways[0], each) for each in gateways]]:
        found = await asyncio.to_thread(page, other, f"/requests/{request_id}")
        assert (found["gateways_asked"], found["not_answered"]) == (len(gateways), [])
        [record] = found["records"]
        assert (record["key_id"], record["status"]) == ("globex", 404)
        assert record["gateway"]["admin"] == f"127.0.0.1:{own.admin_port}"


async def check_audit(gateways: list[GatewayProcess]) -> None:
    """A change at each gateway is in the one audit trail, which each of them shows."""
    changed = [[*KEYS][number % len(KEYS)] for number in range(len(gateways))]
    for gateway, key in zip(gateways, changed, strict=True):
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await asyncio.to_thread(gateway.admin, f"/limits/reset?key={key}", "POST", bearer))[0] == 200
    for gateway in gateways:
        trail = partial(page, gateway, "/audit?action=limits.reset&limit=100")
        await asyncio.to_thread(wait_until, lambda: len(trail()["records"]) == len(gateways))  # noqa: B023  at once
        records = trail()["records"]
        assert Counter(record["object"] for record in records) == Counter(changed)
        assert len({record["id"] for record in records}) == len(records)


async def test_ten_gateways_on_one_redis(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with Service() as service:
        for path in ("/v1/x", "/open/x"):
            service.on(path, reply(b"{}", b"X-Encoded: 3"))
        yaml = configuration(service.port, **SECTIONS, redis=with_redis(redis_server), admin=ADMIN)
        async with fleet(GATEWAYS, yaml, tmp_path) as gateways:
            sent = await asyncio.gather(*[send(gateway, CALLS, 5 * n) for n, gateway in enumerate(gateways)])
            seen = sum(sent, Counter[tuple[str, int]]())
            assert seen.total() == GATEWAYS * CALLS
            await check_request_ids(gateways)
            seen["globex", 404] += GATEWAYS
            await check_audit(gateways)
            codes = await asyncio.gather(*[asyncio.to_thread(gateway.terminate) for gateway in gateways])
            assert set(codes) == {0}
    found = usage_of(redis_server, by="key")
    assert (found.total.calls, found.total.callers) == (seen.total(), len(KEYS) + 1)
    rows = {row.key: row for row in found.rows}
    assert rows.keys() == {"", "anonymous", *KEYS}
    assert (rows[""].calls, rows[""].errors) == (seen["nowhere", 404],) * 2
    assert (rows["anonymous"].calls, rows["anonymous"].errors) == (seen["open", 200], 0)
    for name in KEYS:
        good, bad = seen[name, 200], seen[name, 404]
        assert (rows[name].calls, rows[name].errors) == (good + bad, bad)
        assert (rows[name].request_bytes, rows[name].quotas) == (7 * good, {"calls": good, "encoded": 3 * good})
    by_organization = {row.organization: row for row in usage_of(redis_server, by="organization").rows}
    assert by_organization["acme"].calls == rows["acme"].calls + rows["acme-ci"].calls
    assert by_organization["acme"].callers == 2
    names = [name for name in redis_server.ask("KEYS", "*usage*") if redis_server.ask("TYPE", name) == b"hash"]
    stored = repr([redis_server.ask("HGETALL", name) for name in names]).encode()
    assert b"acme|acme-ci|all|calls" in stored
    assert not any(secret.encode() in stored or digest(secret).encode() in stored for secret in KEYS.values())


async def test_an_outage_a_lost_worker_and_a_reload_lose_no_call(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with Service() as service:
        for path in ("/v1/x", "/open/x"):
            service.on(path, reply())
        yaml = configuration(service.port, **SECTIONS, redis=with_redis(redis_server), admin=ADMIN)
        with running(yaml, tmp_path) as gateway:
            owed = partial(counted, gateway, "gateway_usage_calls_owed")
            redis_server.kill()
            seen = await send(gateway, 30)
            await asyncio.to_thread(wait_until, lambda: owed() == 30)
            [worker] = workers(gateway)
            os.kill(worker["pid"], signal.SIGKILL)
            await asyncio.to_thread(
                wait_until, lambda: [each["pid"] for each in workers(gateway)] not in ([], [worker["pid"]])
            )
            seen += await send(gateway, 10)
            await asyncio.to_thread(wait_until, lambda: owed() == 40)
            assert (await reloaded(gateway))[0] == 200
            await asyncio.to_thread(
                wait_until, lambda: len(workers(gateway, "serving", "draining")) == 1 and owed() == 40
            )
            redis_server.start()
            await asyncio.to_thread(wait_until, lambda: owed() == 0)
            status, text = gateway.admin("/usage?by=organization,route")
            assert (status, json.loads(text)["total"]["calls"]) == (200, 40)
            seen += await send(gateway, 20)
            assert await asyncio.to_thread(gateway.terminate) == 0
        assert usage_of(redis_server).total.calls == seen.total() == 60
