"""Redis is away while workers die or are replaced: limits and quotas stay, and Redis is charged for all."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes import reply, until
from tests.gateway_process import GatewayProcess, digest, running
from tests.journeys.backends import Service, ask
from tests.journeys.multi_worker import counted, workers, written
from tests.journeys.test_supervisor import reloaded
from tests.redis_server import RedisProcess

LIMITED, COUNTED = "gw_test_of_an_hourly_limit", "gw_test_of_a_monthly_quota"
SECTIONS = {
    "plans": """
- {id: limited, limits: [{id: hour, max: 24, per: 1h}]}
- {id: counted, limits: [], quotas: [{id: calls, code: 8001, kind: count, max: 24, charge: [{routes: [all]}]}]}
""",
    "keys": f"""
- {{id: limited, secret_sha256: {digest(LIMITED)}, organizations: [acme], plan: limited}}
- {{id: counted, secret_sha256: {digest(COUNTED)}, organizations: [acme], plan: counted}}
""",
}


async def admitted(gateway: GatewayProcess, key: str, calls: int) -> int:
    answers = Counter([(await ask(gateway, "GET", "/v1/x", key=key)).status for _ in range(calls)])
    assert set(answers) <= {200, 429}
    return answers[200]


def quota_in(server: RedisProcess) -> int:
    """What Redis says was spent of the quota."""
    return sum(int(server.ask("GET", key).partition(b":")[0]) for key in server.ask("KEYS", "gw:1:*count/calls"))


@pytest.mark.parametrize(("before", "after"), [(1, 0), (2, 0), (1, 1), (1, 3), (3, 1)])
async def test_an_outage_with(tmp_path: Path, redis_server: RedisProcess, before: int, after: int) -> None:
    """`after` workers by a reload; 0: all of them are killed, and replaced."""
    async with Service() as service:
        service.on("/v1/x", reply())
        with running(written(service.port, before, redis_server, **SECTIONS), tmp_path) as gateway:
            await until(lambda: f'"gateways":{before}' in gateway.admin("/limiter")[1])
            first = [await admitted(gateway, key, 3) for key in (LIMITED, COUNTED)]
            assert first == [3, 3]
            await until(lambda: quota_in(redis_server) == 3)
            redis_server.kill()
            await until(lambda: counted(gateway, "gateway_redis_up") == 0)
            total = Counter({LIMITED: 3, COUNTED: 3})
            for key in (LIMITED, COUNTED):
                total[key] += await admitted(gateway, key, 4)
            if after:
                (tmp_path / "gateway.yaml").write_text(written(service.port, after, redis_server, **SECTIONS))
                assert (await reloaded(gateway))[0] == 200
            else:
                pids = {worker["pid"] for worker in workers(gateway)}
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                await until(lambda: len({each["pid"] for each in workers(gateway)} - pids) == before, 15.0)
            for key in (LIMITED, COUNTED):
                total[key] += await admitted(gateway, key, 60)
            assert all(10 <= count <= 24 + 3 for count in total.values())
            redis_server.start()
            await until(lambda: counted(gateway, "gateway_redis_up") == 1)
            await until(lambda: quota_in(redis_server) == total[COUNTED] - 3)
            assert await admitted(gateway, LIMITED, 60) == 24 - (total[LIMITED] - 3)
