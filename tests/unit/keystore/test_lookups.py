"""keystore/lookups.py: many keys in one round trip."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.keystore.lookups import AT_ONCE, KeyLookups
from gateway.keystore.reader import KeyStore
from gateway.redis_client.address import RedisConnectionError
from tests.fake_key_store import FakeKeyStore
from tests.fakes import turn


class Counting(KeyStore):
    """Notes how many keys each command was about."""

    def __init__(self, shelf: FakeKeyStore) -> None:
        super().__init__(shelf.call, "gw")
        self.sizes: list[int] = []

    async def find(self, proofs: Sequence[str]) -> list[bytes | None]:
        self.sizes.append(len(proofs))
        return await super().find(proofs)


def asked(lookups: KeyLookups, count: int) -> list[asyncio.Task[bytes | None]]:
    return [asyncio.ensure_future(lookups.find(f"p{number}")) for number in range(count)]


async def test_each_gets_what_it_asked_for() -> None:
    shelf = FakeKeyStore()
    shelf.entries |= {f"p{number}": b"%d" % number for number in range(0, 100, 2)}
    store = Counting(shelf)
    lookups = KeyLookups(store, 4)
    found = await asyncio.gather(*asked(lookups, 100))
    assert found == [None if number % 2 else b"%d" % number for number in range(100)]
    assert (store.sizes, len(lookups)) == ([AT_ONCE] * (100 // AT_ONCE) + [100 % AT_ONCE], 0)


async def test_those_beyond_what_is_under_way_wait_for_it() -> None:
    shelf = FakeKeyStore()
    shelf.open.clear()
    store = Counting(shelf)
    lookups = KeyLookups(store, 2)
    waiting = asked(lookups, 3 * AT_ONCE)
    await turn()
    await turn()
    assert (store.sizes, len(lookups)) == ([AT_ONCE] * 2, 3 * AT_ONCE)
    waiting[0].cancel()
    shelf.open.set()
    assert await asyncio.gather(*waiting[1:]) == [None] * (3 * AT_ONCE - 1)
    assert (store.sizes, len(lookups)) == ([AT_ONCE] * 3, 0)


async def test_who_waits_when_redis_does_not_answer_is_told_at_once() -> None:
    shelf = FakeKeyStore()
    shelf.open.clear()
    store = Counting(shelf)
    lookups = KeyLookups(store, 1)
    waiting = asked(lookups, 5 * AT_ONCE)
    await turn()
    await turn()
    shelf.away = True
    shelf.open.set()
    for each in waiting:
        with pytest.raises(RedisConnectionError, match="away"):
            await each
    assert (store.sizes, len(lookups)) == ([AT_ONCE] * 2, 0)
    shelf.away = False
    assert await lookups.find("p") is None


class LateOnce(Counting):
    """The first answer is lost."""

    async def find(self, proofs: Sequence[str]) -> list[bytes | None]:
        found = await super().find(proofs)
        if len(self.sizes) == 1:
            raise RedisConnectionError("timeout")
        return found


async def test_one_answer_that_is_late_is_asked_for_again() -> None:
    shelf = FakeKeyStore()
    shelf.entries["p"] = b"found"
    store = LateOnce(shelf)
    assert (await KeyLookups(store, 1).find("p"), store.sizes) == (b"found", [1, 1])


async def test_a_redis_that_refuses_is_not_asked_again() -> None:
    shelf = FakeKeyStore()
    shelf.refuses.add("HGET")
    store = Counting(shelf)
    with pytest.raises(RedisConnectionError, match="NOPERM"):
        await KeyLookups(store, 1).find("p")
    assert store.sizes == [1]
