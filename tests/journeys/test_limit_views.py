"""What operators see of limits, reset and change while a gateway serves."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes import reply, until
from tests.gateway_process import KEY, GatewayProcess, configuration, digest, running
from tests.journeys.backends import Service, ask
from tests.redis_server import RedisProcess

TOKEN = "sesame-open-the-door"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


PLANS = "[{id: unlimited, limits: [{id: day, max: 3, per: 1d}]}]"
OWN = f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited, limits: [{{id: day, max: 7, per: 1d}}]}}]"


def written(backend: int, workers: int = 1, **sections: str) -> str:
    """Three calls a day, unless `sections` say otherwise."""
    server = f'{{workers: {workers}, drain_delay: 0s, listeners: [{{id: public, address: "127.0.0.1:0"}}]}}'
    admin = f'{{address: "127.0.0.1:0", token: {TOKEN}}}'
    return configuration(backend, **{"server": server, "admin": admin, "plans": PLANS, **sections})


@asynccontextmanager
async def limited(folder: Path, workers: int = 1, **sections: str) -> AsyncIterator[tuple[GatewayProcess, int]]:
    """With `/v1/a` to make calls, and the port of who answers them."""
    async with Service() as service:
        service.on("/v1/a", reply())
        with running(written(service.port, workers, **sections), folder) as gateway:
            yield gateway, service.port


async def response(gateway: GatewayProcess, path: str, method: str = "GET") -> tuple[int, Any]:
    status, text = await asyncio.to_thread(gateway.admin, path, method, BEARER if method == "POST" else None)
    return status, json.loads(text)


async def spent(gateway: GatewayProcess) -> list[int]:
    """On a new connection each, so that every worker has a part in it."""
    return [(await ask(gateway, "GET", "/v1/a")).status for _ in range(8)]


async def test_a_reset_gives_a_key_its_limits_back_on_every_worker(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with limited(tmp_path, 2, redis=f'{{url: "{redis_server.url}"}}') as (gateway, _):
        await gateway.line(lambda line: '"redis is up"' in line)
        assert sorted(await spent(gateway)) == [200] * 3 + [429] * 5
        status, shown = await response(gateway, "/limits?key=tester")
        assert (
            status,
            shown["store"],
            [(each["id"], each["used"], each["remaining"]) for each in shown["limits"]],
        ) == (
            200,
            "redis",
            [("day", 3, 0)],
        )
        assert await response(gateway, "/limits/reset?key=tester", "POST") == (200, {"key": "tester", "reset": ["day"]})
        assert sorted(await spent(gateway)) == [200] * 3 + [429] * 5
        assert await response(gateway, "/limits/reset?key=nobody", "POST") == (
            404,
            {"error": "there is no key of this id"},
        )


async def test_every_worker_reports_its_limiter_unless_it_hangs(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with limited(tmp_path, 2, redis=f'{{url: "{redis_server.url}", on_failure: deny}}') as (gateway, _):
        await gateway.line(lambda line: '"redis is up"' in line)
        workers = (await response(gateway, "/limiter"))[1]["workers"]
        assert [(each["worker"], each["decides"], each["redis"]["up"]) for each in workers] == [
            (0, "redis", True),
            (1, "redis", True),
        ]
        redis_server.kill()
        await until(lambda: sum('"redis is away"' in line for line in gateway.lines) == 2)
        os.kill(workers[1]["pid"], signal.SIGSTOP)
        first, second = (await response(gateway, "/limiter"))[1]["workers"]
        assert (first["decides"], first["redis"]["up"], first["redis"]["servers"][0]["breaker"]) == (
            "deny",
            False,
            "open",
        )
        assert first["redis"]["reason"]
        assert second == {"worker": 1, "pid": workers[1]["pid"], "error": "no worker answers"}
        os.kill(workers[1]["pid"], signal.SIGCONT)


async def test_limits_in_memory_are_shown_and_reset_as_well(tmp_path: Path) -> None:
    async with limited(tmp_path) as (gateway, _):
        assert sorted(await spent(gateway)) == [200] * 3 + [429] * 5
        assert (await response(gateway, "/limiter"))[1]["workers"][0]["decides"] == "memory"
        assert (await response(gateway, "/limits?key=tester"))[1]["limits"][0]["used"] == 3
        assert (await response(gateway, "/limits/reset?key=tester", "POST"))[0] == 200
        assert sorted(await spent(gateway)) == [200] * 3 + [429] * 5


async def test_a_changed_limit_keeps_what_was_used(tmp_path: Path) -> None:
    """In memory, from one worker to its successor: reloaded as it was, raised, and raised for the key alone."""
    async with limited(tmp_path) as (gateway, backend):
        same = written(backend)
        changed = [same, same, written(backend, plans=PLANS.replace("3", "5")), written(backend, keys=OWN)]
        for text, left in zip(changed, (3, 0, 2, 2), strict=True):
            (tmp_path / "gateway.yaml").write_text(text)
            assert await response(gateway, "/reload?wait", "POST") == (200, {"reload": "done"})
            assert await spent(gateway) == [200] * left + [429] * (8 - left)


async def test_a_request_is_explained_with_what_is_left_of_its_limits(tmp_path: Path) -> None:
    async with limited(tmp_path) as (gateway, port):
        assert (await ask(gateway, "GET", "/v1/a")).status == 200
        path = "/explain?method=GET&target=/v1/a%3Fb=1&key=tester&header=Accept:%20x"
        await response(gateway, path)
        status, found = await response(gateway, path)
        assert (status, found["charge"]["limits"][0]["remaining"]) == (200, 1)
        assert found["call"]["targets"][0]["head"].startswith(f"GET /v1/a?b=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")
        assert (await response(gateway, f"/explain?method=GET&target=/v1/a&header=X-Api-Key:{KEY}"))[0] == 400
        assert (await response(gateway, "/explain?method=GET&target=/v1/a&key=nobody"))[0] == 404
