"""Tests of the figures for fleets, with three gateways."""

import asyncio
from pathlib import Path

import pytest

from gateway.fleet.membership import ANNOUNCE_S
from gateway.keystore.sync import POLL_S
from gateway.limiter.heartbeat import BEAT_S
from tests.architecture.files import ROOT
from tests.bench.fleet import LIMITS, SIZES, FleetFigures, KeyFigures, measured, of_keys, table
from tests.bench.fleet_model import admitted
from tests.redis_server import RedisProcess, started

COUNT = 3


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> tuple[FleetFigures, KeyFigures]:
    async def both(server: RedisProcess) -> tuple[FleetFigures, KeyFigures]:
        return await measured(server, COUNT, 20.0), await of_keys(server, 500)

    folder: Path = tmp_path_factory.mktemp("redis")
    with started(RedisProcess(folder)) as server:
        return asyncio.run(both(server))


def test_gateways_speak_to_redis_as_often_as_their_pauses_say(figures: tuple[FleetFigures, KeyFigures]) -> None:
    each_hz = 1 / BEAT_S + 1 / ANNOUNCE_S + 1 / POLL_S
    assert figures[0].commands_hz == pytest.approx(COUNT * each_hz, rel=0.2)
    assert 0 < figures[0].redis_cpu < 0.1


def test_every_gateway_has_two_connections_and_knows_the_others(figures: tuple[FleetFigures, KeyFigures]) -> None:
    assert figures[0].connections == 2 * COUNT
    assert figures[0].known == COUNT
    assert 300 < figures[0].list_bytes < 3_000
    assert 0 < figures[0].informed_s < 20


def test_memory_is_that_of_one_caller(figures: tuple[FleetFigures, KeyFigures]) -> None:
    assert 50 < figures[1].bucket_bytes < 500
    assert 200 < figures[1].stored_key_bytes < 2_000
    assert figures[1].decision_us >= 0


def test_shares_add_up_to_the_limit_unless_there_are_more_gateways_than_calls() -> None:
    found = admitted(3, 300, 3)
    assert found.everywhere == pytest.approx(1.0, rel=0.02)
    assert found.at_one == pytest.approx(1 / 3, rel=0.02)
    assert admitted(10, 5, 10).everywhere == pytest.approx(2.0, rel=0.02)


def test_the_page_on_operations_has_the_rows_of_the_table(figures: tuple[FleetFigures, KeyFigures]) -> None:
    page = (ROOT / "deploy" / "README.md").read_text()
    assert f"| gateways | {' | '.join(f'{size:,}' for size in SIZES)} |" in page
    names = [row.split(" | ")[0] for row in table([figures[0]]).splitlines()[2:]]
    assert len(names) == 7 + 2 * len(LIMITS)
    assert [name for name in names if f"\n{name} | " not in page] == []
