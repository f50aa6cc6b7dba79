"""Reloads, deaths and releases under load, which clients and a scraper do not notice. See bench/endurance.py."""

import json
import os
import signal
from pathlib import Path

from tests.config_editions import mixed
from tests.disruptions import WITHIN_S, site
from tests.fakes import until
from tests.gateway_process import GatewayProcess
from tests.load import Load


def counted(gateway: GatewayProcess, name: str) -> float:
    lines = gateway.admin("/metrics")[1].splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


async def test_ten_reloads_lose_nothing_and_mix_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        async with Load(at.gateway.port, judge=mixed) as load:
            found = await at.go_through("reloads", load, 10)
        assert (found.wrong, found.excused) == ([], 0)
        assert load.answered.keys() == {200}, load.first
        await until(
            lambda: counted(at.gateway, "gateway_requests_total") == load.total
        )  # a reply is counted after it was sent
        assert counted(at.gateway, "gateway_config_reloads_total") == 10
        await until(lambda: at.workers("draining") == [], WITHIN_S)
        assert [worker["generation"] for worker in at.workers()] == [11, 11]


async def test_ten_killed_workers_lose_what_they_had_accepted_and_no_count(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        async with Load(at.gateway.port, judge=mixed) as load:
            found = await at.go_through("kills", load, 10)
        assert found.wrong == []
        assert load.answered.keys() == {200}, load.first
        assert counted(at.gateway, "gateway_worker_restarts_total") == 10
        # Some died between a reply and its count, or the other way round: once on a connection at most.
        assert abs(counted(at.gateway, "gateway_requests_total") - load.total) <= found.held
        assert at.gateway.terminate() == 0


async def test_two_new_releases_take_over_and_count_on(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        async with Load(at.gateway.port, judge=mixed) as load:
            found = await at.go_through("releases", load, 2)
        assert (found.wrong, found.excused) == ([], 0)
        assert load.answered.keys() == {200}, load.first
        positions = {
            (line["admin"], *line["listeners"])
            for line in map(json.loads, at.gateway.lines)
            if line["event"] == "started"
        }
        assert len(positions) == 1
        await until(lambda: counted(at.gateway, "gateway_requests_total") == load.total)
        assert at.gateway.wait() == 0
        os.kill(at.pids[-1], signal.SIGTERM)
        at.gateway.join()
