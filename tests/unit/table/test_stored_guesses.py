"""table/stored.py: whoever tries keys that there are not costs neither memory nor Redis much."""

import asyncio

import pytest

from gateway.cli.secret import create
from gateway.kernel.faults import KEY_UNKNOWN, KEYS_UNAVAILABLE, RATE_LIMITED, GatewayError
from gateway.table import stored as module
from gateway.table.guesses import WINDOW
from tests.fakes import turn
from tests.unit.table.desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_what_nobody_has_is_asked_for_once_in_a_while(desk: Desk) -> None:
    for _ in range(3):
        assert await desk.refused("bad") is KEY_UNKNOWN
    assert (desk.look_ups, desk.results) == (1, {"unknown": 1, "refused": 2})
    desk.clock.advance(module.UNKNOWN_S)
    desk.shelf.put("bad")
    assert (await desk.find("bad")).id == "bad"


async def test_a_slip_is_not_asked_for(desk: Desk) -> None:
    made = create()
    slip = made[:-1] + ("0" if made[-1] != "0" else "1")
    assert await desk.refused(slip) is KEY_UNKNOWN
    assert (desk.look_ups, desk.results) == (0, {"misspelt": 1})
    desk.shelf.put(made, id="k")
    assert (await desk.find(made)).id == "k"


async def test_who_guesses_has_to_wait_and_others_do_not(desk: Desk) -> None:
    desk.shelf.put("good")
    desk.shelf.put("cold")
    await desk.find("good")
    for number in range(WINDOW.burst):
        assert await desk.refused(f"guess {number}") is KEY_UNKNOWN
    asked = desk.look_ups
    for secret in ("one more", "cold"):
        assert await desk.refused(secret) is RATE_LIMITED
    assert (desk.look_ups, desk.results["throttled"]) == (asked, 2)
    assert (await desk.find("good")).id == "good"
    assert await desk.refused("guess 0") is KEY_UNKNOWN
    assert (await desk.find("cold", client="192.0.2.8")).id == "cold"
    desk.clock.advance(WINDOW.emission_us / 1e6)
    assert await desk.refused("one more") is KEY_UNKNOWN


async def test_memory_for_keys_and_for_guesses_is_bounded() -> None:
    desk = Desk(most=100)
    for number in range(110):
        assert await desk.refused(f"guess {number}", client=f"10.0.0.{number}") is KEY_UNKNOWN
        desk.shelf.put(f"k{number}")
        await desk.find(f"k{number}")
    assert repr(desk.keys) == "<StoredKeys 100 known, 100 nobody's, 0 asked for>"


async def test_redis_is_asked_for_so_many_at_one_time(desk: Desk) -> None:
    desk.shelf.open.clear()
    waiting = [asyncio.ensure_future(desk.find(f"k{number}", client=f"10.0.0.{number % 250}")) for number in range(module.MOST_ASKED)]
    await turn()
    assert await desk.refused("one more") is KEYS_UNAVAILABLE
    desk.shelf.open.set()
    await asyncio.wait(waiting)
    assert all(isinstance(each.exception(), GatewayError) for each in waiting)
    assert await desk.refused("one more") is KEY_UNKNOWN
