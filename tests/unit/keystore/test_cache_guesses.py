"""keystore/cache.py: whoever tries keys that there are not costs neither memory nor Redis much."""

import asyncio

import pytest

from gateway.cli.secret import create
from gateway.kernel.faults import KEY_UNKNOWN, KEYS_UNAVAILABLE, RATE_LIMITED, GatewayError
from gateway.keystore import cache as module
from gateway.keystore.guess_throttle import WINDOW
from gateway.keystore.lookups import AT_ONCE
from tests.fakes import turn
from tests.unit.keystore.query_server import QueryServer


@pytest.fixture
def desk() -> QueryServer:
    return QueryServer()


async def test_what_nobody_has_is_asked_for_once_in_a_while(desk: QueryServer) -> None:
    for _ in range(3):
        assert await desk.refused("bad") is KEY_UNKNOWN
    assert (desk.look_ups, desk.results) == (1, {"unknown": 1, "refused": 2})
    desk.clock.advance(module.UNKNOWN_S)
    desk.shelf.put("bad")
    assert (await desk.find("bad")).id == "bad"


async def test_a_slip_is_not_asked_for(desk: QueryServer) -> None:
    made = create()
    slip = made[:-1] + ("0" if made[-1] != "0" else "1")
    assert await desk.refused(slip) is KEY_UNKNOWN
    assert (desk.look_ups, desk.results) == (0, {"misspelt": 1})
    desk.shelf.put(made, id="k")
    assert (await desk.find(made)).id == "k"


async def test_who_guesses_has_to_wait_and_valid_keys_do_not(desk: QueryServer) -> None:
    """Those that this worker knows, and those that it does not know yet."""
    desk.shelf.put("good")
    desk.shelf.put("cold")
    await desk.find("good")
    for number in range(WINDOW.burst):
        assert await desk.refused(f"guess {number}") is KEY_UNKNOWN
    for secret in ("one more", "another"):
        assert await desk.refused(secret) is RATE_LIMITED
    assert desk.results["throttled"] == 2
    for secret in ("good", "cold"):
        assert (await desk.find(secret)).id == secret
    assert await desk.refused("guess 0") is KEY_UNKNOWN
    desk.clock.advance(WINDOW.emission_us / 1e6)
    assert await desk.refused("yet another") is KEY_UNKNOWN


async def test_what_guessers_try_is_looked_for_beside_all_else(desk: QueryServer) -> None:
    """One command at a time, so many keys, and others do not wait for them."""
    for number in range(WINDOW.burst):
        await desk.refused(f"guess {number}")
    desk.shelf.put("good")
    desk.shelf.open.clear()
    commands = desk.shelf.commands
    tried = [asyncio.ensure_future(desk.find(f"more {number}")) for number in range(module.MOST_DOUBTED)]
    await turn()
    await turn()
    assert desk.shelf.commands == commands + 1
    assert await desk.refused("one more") is RATE_LIMITED
    found = asyncio.ensure_future(desk.find("good", client="192.0.2.8"))
    await turn()
    await turn()
    assert desk.shelf.commands == commands + 2
    desk.shelf.open.set()
    assert (await found).id == "good"
    await asyncio.wait(tried)
    assert {each.exception().fault for each in tried if isinstance(each.exception(), GatewayError)} == {RATE_LIMITED}  # type: ignore[union-attr]
    desk.shelf.away = True
    assert await desk.refused("and one more") is KEYS_UNAVAILABLE


async def test_a_crowd_that_nobody_knows_yet_is_let_in(desk: QueryServer) -> None:
    """Together, in a few round trips."""
    crowd = [f"k{number}" for number in range(2000)]
    for secret in crowd:
        desk.shelf.put(secret)
    callers = await asyncio.gather(*[desk.find(secret) for secret in crowd])
    assert [caller.id for caller in callers] == crowd
    assert (desk.look_ups, desk.shelf.commands) == (2000, -(-2000 // AT_ONCE))


async def test_memory_for_keys_and_for_guesses_is_bounded() -> None:
    desk = QueryServer(most=100)
    for number in range(110):
        assert await desk.refused(f"guess {number}", client=f"10.0.0.{number}") is KEY_UNKNOWN
        desk.shelf.put(f"k{number}")
        await desk.find(f"k{number}")
    assert repr(desk.keys) == "<StoredKeys 100 known, 100 nobody's, 0 asked for>"


async def test_so_many_are_asked_for_at_one_time(desk: QueryServer) -> None:
    desk.shelf.open.clear()
    waiting = [asyncio.ensure_future(desk.find(f"k{number}", client=f"10.0.{number % 250}.0")) for number in range(module.MOST_ASKED)]
    await turn()
    assert await desk.refused("one more") is KEYS_UNAVAILABLE
    desk.shelf.open.set()
    await asyncio.wait(waiting)
    assert all(isinstance(each.exception(), GatewayError) for each in waiting)
    assert await desk.refused("one more") is KEY_UNKNOWN
