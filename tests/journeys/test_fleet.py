"""Gateways that share a Redis know one another, and any of them says what happened to a request at any other."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from click.testing import CliRunner

from gateway.cli import main
from gateway.fleet.record import GatewayRecord
from tests.fakes import reply, until
from tests.gateway_process import KEY, GatewayProcess, configuration, running
from tests.journeys.backends import Service, ask
from tests.redis_server import RedisProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKEN = "sesame-open-the-door"
ROUTES = "[{id: all, match: {prefix: /v1}, upstream: backend}, {id: dead, match: {prefix: /dead}, upstream: dead}]"


class Fleet(NamedTuple):
    """Two gateways, and the Redis that they share."""

    first: GatewayProcess
    second: GatewayProcess
    redis: RedisProcess


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory, module_redis: RedisProcess) -> AsyncIterator[Fleet]:
    async with Service() as service:
        service.on("/v1/a", reply())
        upstreams = (
            f'[{{id: backend, targets: [{{url: "http://127.0.0.1:{service.port}"}}]}},'
            ' {id: dead, targets: [{url: "http://127.0.0.1:1"}]}]'
        )
        sections = {
            "admin": f'{{address: "127.0.0.1:0", token: {TOKEN}}}',
            "redis": f'{{url: "{module_redis.url}", timeout: 2s}}',
            "upstreams": upstreams,
            "routes": ROUTES,
        }
        with ExitStack() as stack:
            first, second = [
                stack.enter_context(running(configuration(0, **sections), tmp_path_factory.mktemp(name)))
                for name in ("first", "second")
            ]
            here = Fleet(first, second, module_redis)
            await until(lambda: all(len(gateways(each)) == 2 for each in (first, second)), 20.0)
            yield here


def page(gateway: GatewayProcess, path: str) -> dict[str, Any]:
    status, body = gateway.admin(path)
    assert status == 200, body
    assert KEY not in body
    found: dict[str, Any] = json.loads(body)
    return found


def gateways(gateway: GatewayProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page(gateway, "/fleet")["gateways"]
    return found


async def failed(gateway: GatewayProcess) -> str:
    """The id of a request that this gateway answered with an error, once it is recorded."""
    answer = await ask(gateway, "GET", f"/dead/x?X-Api-Key={KEY}")
    assert answer.status == 503
    request_id = str(json.loads(answer.body)["requestId"])
    await until(lambda: bool(page(gateway, f"/requests/{request_id}?local=true")["records"]), 20.0)
    return request_id


async def test_gateways_with_one_redis_know_one_another(fleet: Fleet) -> None:
    first, second = await asyncio.to_thread(gateways, fleet.first), await asyncio.to_thread(gateways, fleet.second)
    assert [each["is_self"] for each in first] == [True, False]
    assert {each["id"] for each in first} == {each["id"] for each in second}
    assert [each["admin"] for each in first] == [f"127.0.0.1:{each.admin_port}" for each in fleet[:2]]
    for name in fleet.redis.ask("KEYS", "*fleet*"):
        assert KEY.encode() not in fleet.redis.ask("DUMP", name)


async def test_what_happened_to_a_request_is_found_from_any_gateway(fleet: Fleet) -> None:
    request_id = await failed(fleet.second)
    for gateway in (fleet.first, fleet.second):
        found = await asyncio.to_thread(page, gateway, f"/requests/{request_id}")
        (record,) = found["records"]
        assert (record["reason"], record["route"], record["key_id"]) == ("upstream_refused", "dead", "tester")
        assert record["gateway"]["admin"] == f"127.0.0.1:{fleet.second.admin_port}"
        assert (found["gateways_asked"], found["not_answered"]) == (2, [])
    assert (await asyncio.to_thread(page, fleet.first, f"/requests/{request_id}?local=true"))["records"] == []


async def commanded(*arguments: str) -> dict[str, Any]:
    """What a command prints as JSON."""
    done = await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--output", "json"])
    assert done.exit_code == 0, done.output
    assert KEY not in done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_commands_ask_one_gateway_or_several(fleet: Fleet) -> None:
    request_id = await failed(fleet.second)
    first, second = (f"127.0.0.1:{each.admin_port}" for each in fleet[:2])
    found = await commanded("requests", "show", request_id, "--admin", first, "--admin", second)
    assert [each["reason"] for each in found["records"]] == ["upstream_refused"]
    chosen = ("--code", "1004", "--key", "tester", "--route", "dead", "--source", "gateway", "--status", "5xx")
    listed = (await commanded("errors", "recent", *chosen, "--admin", first, "--admin", second))["errors"]
    assert [each["gateway"] for each in listed if each["request_id"] == request_id] == [second]
    assert (await commanded("errors", "recent", "--code", "8000", "--admin", second))["errors"] == []
    assert (await asyncio.to_thread(fleet.first.admin, "/errors?cod=8000"))[0] == 400


async def test_top_adds_up_what_gateways_do(fleet: Fleet) -> None:
    await failed(fleet.first)
    admin = f"127.0.0.1:{fleet.second.admin_port}"
    found: dict[str, Any] = {"routes": []}
    async with asyncio.timeout(20):
        while "dead" not in {row["name"] for row in found["routes"]}:
            found = await commanded("top", "--once", "--fleet", "--admin", admin)
    assert found["total"]["error_rate"] > 0
    assert "tester" in {row["name"] for row in found["keys"]}
    assert [(each["ready"], each["redis"]) for each in found["gateways"]] == [(True, "up")] * 2


async def test_access_lines_are_followed_while_they_come(fleet: Fleet) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{fleet.first.admin_port}/tail?status=5xx&key=tester"
    async with aiohttp.ClientSession(headers=headers) as client, client.get(url) as lines, asyncio.timeout(20):
        assert json.loads(await lines.content.readline()) == {"event": "following", "all_workers": True}
        assert (await ask(fleet.first, "GET", "/v1/a")).status == 200
        assert (await ask(fleet.first, "GET", f"/dead/x?X-Api-Key={KEY}")).status == 503
        line = await lines.content.readline()
    assert KEY.encode() not in line
    found = json.loads(line)
    assert (found["url.path"], found["gateway.reason"], found["gateway.key_id"]) == (
        "/dead/x",
        "upstream_refused",
        "tester",
    )


async def test_a_gateway_that_stops_leaves_the_fleet(fleet: Fleet, tmp_path: Path) -> None:
    redis = f'{{url: "{fleet.redis.url}"}}'
    with running(configuration(1, redis=redis), tmp_path) as third:
        await until(lambda: len(gateways(fleet.first)) == 3, 20.0)
        assert await asyncio.to_thread(third.terminate) == 0
    assert len(await asyncio.to_thread(gateways, fleet.first)) == 2


async def test_a_gateway_that_cannot_be_asked_is_named(fleet: Fleet) -> None:
    lost = GatewayRecord("lost", socket.gethostname(), "127.0.0.1:1", "1.2", "abc", 1_800_000_000.5)
    prefix = "gw:1:{fleet}:"
    fleet.redis.ask("HSET", f"{prefix}records", lost.id, msgspec.json.encode(lost))
    fleet.redis.ask(
        "ZADD", f"{prefix}seen", int(fleet.redis.ask("ZRANGE", f"{prefix}seen", 0, -1, "WITHSCORES")[1]), lost.id
    )
    found = await asyncio.to_thread(page, fleet.first, "/requests/6d84e126-d10c-4e52-bbfb-bd4c92bc8333")
    assert [(each["id"], each["reason"][:11]) for each in found["not_answered"]] == [("lost", "not reached")]
    assert (found["found"], found["gateways_asked"]) == (False, 3)
