"""keystore/cache.py: clients that try unknown keys cost little memory and little of Redis."""

import asyncio

import pytest

from gateway.kernel.faults import KEY_UNKNOWN, KEYS_UNAVAILABLE, RATE_LIMITED, GatewayError
from gateway.key_management.secret import create
from gateway.keystore import cache as module
from gateway.keystore.guess_throttle import WINDOW
from gateway.keystore.lookups import BATCH
from tests.fakes import turn
from tests.refusals import refusal
from tests.unit.keystore.keys_under_test import KeysUnderTest


@pytest.fixture
def cache() -> KeysUnderTest:
    return KeysUnderTest()


async def test_unknown_keys_are_looked_up_again_after_a_while(cache: KeysUnderTest) -> None:
    for _ in range(3):
        assert await cache.refused("bad") is KEY_UNKNOWN
    assert (cache.lookups, cache.results) == (1, {"unknown": 1, "refused": 2})
    cache.clock.advance(module.UNKNOWN_S)
    cache.key_store.put("bad")
    assert (await cache.find("bad")).id == "bad"


async def test_a_slip_is_not_asked_for(cache: KeysUnderTest) -> None:
    made = create()
    slip = made[:-1] + ("0" if made[-1] != "0" else "1")
    assert await cache.refused(slip) is KEY_UNKNOWN
    assert (cache.lookups, cache.results) == (0, {"misspelt": 1})
    cache.key_store.put(made, id="k")
    assert (await cache.find(made)).id == "k"


async def test_clients_that_guess_have_to_wait_and_valid_keys_do_not(cache: KeysUnderTest) -> None:
    """Those that this worker knows, and those that it does not know yet."""
    cache.key_store.put("good")
    cache.key_store.put("cold")
    await cache.find("good")
    for number in range(WINDOW.burst):
        assert await cache.refused(f"guess {number}") is KEY_UNKNOWN
    for secret in ("one more", "another"):
        assert await cache.refused(secret) is RATE_LIMITED
    assert cache.results["throttled"] == 2
    for secret in ("good", "cold"):
        assert (await cache.find(secret)).id == secret
    assert await cache.refused("guess 0") is KEY_UNKNOWN
    cache.clock.advance(WINDOW.emission_us / 1e6)
    assert await cache.refused("yet another") is KEY_UNKNOWN


async def test_unknown_keys_of_throttled_clients_are_looked_up_apart_from_others(cache: KeysUnderTest) -> None:
    """One command at a time, so many keys, and others do not wait for them."""
    for number in range(WINDOW.burst):
        await cache.refused(f"guess {number}")
    cache.key_store.put("good")
    cache.key_store.open.clear()
    commands = cache.key_store.commands
    tried = [asyncio.ensure_future(cache.ask(f"more {number}")) for number in range(module.MAX_THROTTLED)]
    await turn()
    await turn()
    assert cache.key_store.commands == commands + 1
    assert await cache.refused("one more") is RATE_LIMITED
    found = asyncio.ensure_future(cache.find("good", client="192.0.2.8"))
    await turn()
    await turn()
    assert cache.key_store.commands == commands + 2
    cache.key_store.open.set()
    assert (await found).id == "good"
    await asyncio.wait(tried)
    assert {refusal(each.result()).fault for each in tried} == {RATE_LIMITED}
    cache.key_store.away = True
    assert await cache.refused("and one more") is KEYS_UNAVAILABLE


async def test_a_crowd_that_nobody_knows_yet_is_let_in(cache: KeysUnderTest) -> None:
    """Together, in a few round trips."""
    crowd = [f"k{number}" for number in range(2000)]
    for secret in crowd:
        cache.key_store.put(secret)
    callers = await asyncio.gather(*[cache.find(secret) for secret in crowd])
    assert [caller.id for caller in callers] == crowd
    assert (cache.lookups, cache.key_store.commands) == (2000, -(-2000 // BATCH))


async def test_memory_for_keys_and_for_guesses_is_bounded() -> None:
    cache = KeysUnderTest(most=100)
    for number in range(110):
        assert await cache.refused(f"guess {number}", client=f"10.0.0.{number}") is KEY_UNKNOWN
        cache.key_store.put(f"k{number}")
        await cache.find(f"k{number}")
    assert repr(cache.keys) == "<StoredKeys 100 known, 100 nobody's, 0 asked for>"


async def test_so_many_are_asked_for_at_one_time(cache: KeysUnderTest) -> None:
    cache.key_store.open.clear()
    waiting = [
        asyncio.ensure_future(cache.ask(f"k{number}", client=f"10.0.{number % 250}.0"))
        for number in range(module.MOST_ASKED)
    ]
    await turn()
    assert await cache.refused("one more") is KEYS_UNAVAILABLE
    cache.key_store.open.set()
    await asyncio.wait(waiting)
    assert all(isinstance(each.result(), GatewayError) for each in waiting)
    assert await cache.refused("one more") is KEY_UNKNOWN
