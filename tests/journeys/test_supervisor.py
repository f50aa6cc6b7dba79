"""Reloads, deaths and drains under load, which clients do not notice."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.fakes import reply, until
from tests.gateway_process import GatewayProcess, running
from tests.journeys.backends import Service, requesting
from tests.journeys.multi_worker import TOKEN, WORKERS_WITHIN_S, counted, redis, serving, workers, written
from tests.load import Load
from tests.raw_client import RawClient
from tests.redis_server import RedisProcess

__all__ = ["redis"]


async def reloaded(gateway: GatewayProcess) -> tuple[int, dict[str, Any]]:
    status, text = await asyncio.to_thread(gateway.admin, "/reload?wait", "POST", {"Authorization": f"Bearer {TOKEN}"})
    return status, json.loads(text)


async def test_an_invalid_configuration_changes_nothing_and_is_explained(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, service), Load(gateway.port, 4) as load:
        file = tmp_path / "gateway.yaml"
        before, pids = gateway.admin("/config"), [worker["pid"] for worker in workers(gateway)]
        file.write_text(file.read_text().replace("upstream: backend", "upstream: bakend") + "nonsense: 1\n")
        status, answer = await reloaded(gateway)
        assert (status, answer["reload"], len(answer["problems"])) == (422, "refused", 2)
        assert any("did you mean `backend`?" in problem for problem in answer["problems"])
        await gateway.line(lambda line: '"configuration refused"' in line and "nonsense" in line)
        assert (counted(gateway, "gateway_config_last_reload_successful"), gateway.admin("/readyz")[0]) == (0, 200)
        await load.more(20)
        assert (gateway.admin("/config"), [worker["pid"] for worker in workers(gateway)]) == (before, pids)
        file.write_text(written(service.port))
        gateway.signal(signal.SIGHUP)
        await gateway.line(lambda line: '"reloaded"' in line)
        assert counted(gateway, "gateway_config_last_reload_successful") == 1
        assert load.failures == []


async def test_what_is_changed_is_in_force_and_what_is_gone_disappears(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, service):
        async with Load(gateway.port, 2) as load:
            await load.more(10)
        assert counted(gateway, 'gateway_requests_total{code="200",method="GET",route="all",source="upstream"}') > 0
        routes = "[{id: other, match: {prefix: /v2}, upstream: backend}]"
        (tmp_path / "gateway.yaml").write_text(written(service.port, routes=routes))
        assert (await reloaded(gateway))[0] == 200
        assert 'route="all"' not in gateway.admin("/metrics")[1]
        async with Load(gateway.port, 2, "/v2/x") as load:
            await load.more(10)
        assert load.answered.keys() == {200}, load.first


async def test_only_who_has_the_token_reloads(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, _):
        assert gateway.admin("/reload")[0] == 405
        assert gateway.admin("/reload", "POST")[0] == 401
        assert gateway.admin("/reload", "POST", {"Authorization": "Bearer guess"})[0] == 401
        assert gateway.admin("/reload", "POST", {"Authorization": f"bearer {TOKEN}"})[0] == 202


async def test_two_workers_share_limits_exactly(tmp_path: Path, redis: RedisProcess) -> None:
    plans = "[{id: unlimited, limits: [{id: day, max: 200, per: 1d}]}]"
    async with serving(tmp_path, 2, redis, plans=plans) as (gateway, _):
        async with Load(gateway.port, 8) as load:
            await load.more(200)
            assert (await reloaded(gateway))[0] == 200
            await load.more(200)
        assert load.answered[200] == 200


async def test_more_workers_than_before_and_fewer(tmp_path: Path, redis: RedisProcess) -> None:
    async with serving(tmp_path, 1, redis) as (gateway, service), Load(gateway.port, 8) as load:
        for count in (3, 1, 2):
            (tmp_path / "gateway.yaml").write_text(written(service.port, count, redis))
            assert (await reloaded(gateway))[0] == 200
            assert len(workers(gateway)) == count
            await load.more(200)
        assert load.failures == []


async def test_a_drain_finishes_what_it_has_and_a_second_signal_ends_it(tmp_path: Path) -> None:
    async with serving(tmp_path, timeout="60s") as (gateway, service):
        held = asyncio.Event()
        async with await RawClient.connect(gateway.port) as client:
            await client.send(requesting("GET", service.on("/v1/held", held)))
            await until(lambda: bool(service.at("/v1/held")))
            gateway.signal(signal.SIGTERM)
            await gateway.line(lambda line: '"draining"' in line)
            assert gateway.admin("/readyz")[0] == 503
            await gateway.line(lambda line: '"still draining"' in line and '"in_flight":1' in line)
            gateway.signal(signal.SIGTERM)
            assert (await client.reply()).status == 503
        assert await asyncio.to_thread(gateway.wait) == 0
        await gateway.line(lambda line: '"connections_cut":1' in line)
        held.set()


async def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, _):
        (pid,) = [worker["pid"] for worker in workers(gateway)]
        gateway.kill()
        await until(
            lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1]
        )


def swapped(folder: Path, name: str, text: str) -> None:
    """As Kubernetes writes a ConfigMap: a new folder, and a link that turns to it in one step."""
    (folder / name).mkdir()
    (folder / name / "gateway.yaml").write_text(text)
    (folder / "..new").symlink_to(name)
    (folder / "..new").replace(folder / "..data")


async def test_watched_files_are_read_again_however_they_change(tmp_path: Path) -> None:
    async with Service() as service:
        service.on("/v1/x", reply())
        text = written(service.port)
        swapped(tmp_path, "..first", text)
        with running(text, tmp_path, "--watch", at=Path("..data") / "gateway.yaml") as gateway:
            async with Load(gateway.port, 2) as load:
                swapped(tmp_path, "..second", text.replace("id: all", "id: second"))
                await until(lambda: 'route="second"' in gateway.admin("/metrics")[1], WORKERS_WITHIN_S)
                file = tmp_path / "..data" / "gateway.yaml"
                (tmp_path / "beside").write_text(text.replace("id: all", "id: third"))
                (tmp_path / "beside").replace(file)
                await until(lambda: 'route="third"' in gateway.admin("/metrics")[1], WORKERS_WITHIN_S)
                file.write_text("nonsense: 1\n")
                await gateway.line(lambda line: '"configuration refused"' in line)
                await load.more(20)
        assert load.failures == []


async def released(gateway: GatewayProcess, known: list[int]) -> None:
    """Wait for the next program to serve; `known` are the ids of those before it."""
    line = await gateway.line(
        lambda line: '"started"' in line and json.loads(line)["pid"] not in known, WORKERS_WITHIN_S
    )
    known.append(json.loads(line)["pid"])


async def test_a_reload_during_a_hand_over_is_done_by_the_new_release_and_loses_no_count(
    tmp_path: Path, redis: RedisProcess
) -> None:
    async with serving(tmp_path, 2, redis) as (gateway, _):
        pids = [gateway.pid]
        async with Load(gateway.port, 8) as load:
            gateway.signal(signal.SIGUSR2)
            await gateway.line(lambda line: '"handing over"' in line)
            gateway.signal(signal.SIGHUP)
            await released(gateway, pids)
            await load.more(100)
        assert load.failures == []
        await gateway.line(lambda line: '"reloaded"' in line, WORKERS_WITHIN_S)
        assert counted(gateway, "gateway_config_reloads_total") == 1
        await until(lambda: counted(gateway, "gateway_requests_total") == load.total)


async def test_a_hand_over_waits_while_workers_of_an_earlier_release_still_count(
    tmp_path: Path, redis: RedisProcess
) -> None:
    async with serving(tmp_path, 2, redis, timeout="60s") as (gateway, service):
        pids, held = [gateway.pid], asyncio.Event()
        async with await RawClient.connect(gateway.port) as client:
            await client.send(requesting("GET", service.on("/v1/held", held, reply())))
            await until(lambda: bool(service.at("/v1/held")))
            gateway.signal(signal.SIGUSR2)
            await released(gateway, pids)
            os.kill(pids[-1], signal.SIGUSR2)
            await gateway.line(lambda line: '"hand-over waits' in line)
            held.set()
            assert (await client.reply()).status == 200
        await released(gateway, pids)
        assert counted(gateway, "gateway_requests_total") == 1


async def test_a_new_release_that_cannot_start_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, _), Load(gateway.port, 2) as load:
        (tmp_path / "gateway.yaml").write_text("nonsense: 1\n")
        gateway.signal(signal.SIGUSR2)
        await gateway.line(lambda line: '"no hand-over' in line, WORKERS_WITHIN_S)
        assert gateway.admin("/readyz")[0] == 200
        await load.more(20)
    assert load.failures == []


STANDS_STILL = """
import os, signal, sys, threading
from gateway.settings import load
from gateway.supervisor import run

def stand_still(*_):
    threading.Event().wait()

if __name__ == "__main__":
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGWINCH, stand_still))
    sys.exit(run(load(sys.argv[1]), source=sys.argv[1], stuck_after_s=1.0))
"""


async def test_a_worker_that_hangs_is_replaced_and_its_stacks_are_logged(tmp_path: Path) -> None:
    async with Service() as service:
        service.on("/v1/x", reply())
        with running(written(service.port), tmp_path, program=STANDS_STILL) as gateway:
            (pid,) = [worker["pid"] for worker in workers(gateway)]
            os.kill(pid, signal.SIGWINCH)
            line = await gateway.line(lambda line: '"worker stuck"' in line, WORKERS_WITHIN_S)
            assert "stand_still" in json.loads(line)["stacks"]
            async with Load(gateway.port, 2) as load:
                await load.more(20)
            assert load.failures == []
            assert counted(gateway, 'gateway_worker_restarts_total{reason="stuck"}') == 1
