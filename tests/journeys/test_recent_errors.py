"""A `requestId` leads to what happened, also when the worker that answered has ended."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from gateway.observe.recent_errors import ENTRIES
from tests.fakes import until
from tests.gateway_process import KEY, GatewayProcess, configuration, running
from tests.journeys.backends import ask, requesting
from tests.raw_client import RawClient

TOKEN = "sesame-open-the-door"
REPLACED_WITHIN_S = 15.0
UNKNOWN = "gw_of_nobody_0123456789abcdefghij"


def errors(gateway: GatewayProcess, request_id: str = "") -> list[dict[str, Any]]:
    status, response = gateway.admin(f"/errors?request_id={request_id}" if request_id else "/errors")
    assert status == 200
    assert KEY not in response
    found: list[dict[str, Any]] = json.loads(response)["errors"]
    return found


def pids(gateway: GatewayProcess) -> set[int]:
    return {
        worker["pid"] for worker in json.loads(gateway.admin("/workers")[1])["workers"] if worker["state"] == "serving"
    }


async def failed(gateway: GatewayProcess, path: str, key: str = KEY) -> str:
    """The id of a request that failed."""
    answer = await ask(gateway, "GET", path, key=key)
    assert answer.status >= 400
    request_id = str(json.loads(answer.body)["requestId"])
    await until(lambda: bool(errors(gateway, request_id)))  # a reply is recorded after it was sent
    return request_id


async def test_an_error_is_found_by_its_id_after_the_worker_s_death_a_reload_and_a_flood(tmp_path: Path) -> None:
    admin = f'{{address: "127.0.0.1:0", token: {TOKEN}}}'
    # Nobody listens on port 1.
    with running(
        configuration(1, admin=admin, routes="[{id: all, match: {prefix: /v1, methods: [GET]}, upstream: backend}]"),
        tmp_path,
    ) as gateway:
        fault = await failed(gateway, f"/v1/x?X-Api-Key={KEY}&name=of-somebody")
        mine = await failed(gateway, f"/v2/{KEY}")
        (found,) = errors(gateway, fault)
        assert (found["status"], found["code"], found["reason"], found["source"]) == (
            503,
            1004,
            "upstream_refused",
            "gateway",
        )
        assert (found["route"], found["path"], found["key_id"], found["organization"]) == (
            "all",
            "/v1/x",
            "tester",
            "acme",
        )
        assert "somebody" not in json.dumps(found)
        assert "path" not in errors(gateway, mine)[0]

        before = pids(gateway)
        os.kill(before.pop(), signal.SIGKILL)
        await until(lambda: pids(gateway) not in (set(), before), REPLACED_WITHIN_S)
        await until(lambda: gateway.admin("/readyz")[0] == 200, REPLACED_WITHIN_S)
        assert errors(gateway, fault) == [found]
        status, _ = await asyncio.to_thread(gateway.admin, "/reload?wait", "POST", {"Authorization": f"Bearer {TOKEN}"})
        assert (status, errors(gateway, fault)) == (200, [found])

        async with await RawClient.connect(gateway.port) as client:
            for _ in range(ENTRIES + 1):
                await client.send(requesting("GET", "/v1/x", key=UNKNOWN))
                assert (await client.reply()).status == 401
        assert [errors(gateway, fault), len(errors(gateway, mine))] == [[found], 1]
        await until(lambda: sum(each["status"] == 401 for each in errors(gateway)) == ENTRIES)
        times = [each["timestamp"] for each in errors(gateway)]
        assert times == sorted(times, reverse=True)
