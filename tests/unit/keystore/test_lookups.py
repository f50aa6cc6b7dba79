"""keystore/lookups.py: many keys in one round trip."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.keystore.lookups import BATCH, KeyLookups
from gateway.keystore.reader import KeyReader
from gateway.redis_client.address import RedisConnectionError
from tests.fake_key_store import FakeKeyStore
from tests.fakes import turn


class Counting(KeyReader):
    """Notes how many keys each command was about."""

    def __init__(self, key_store: FakeKeyStore) -> None:
        super().__init__(key_store.call, "gw")
        self.sizes: list[int] = []

    async def find(self, proofs: Sequence[str]) -> list[bytes | None]:
        self.sizes.append(len(proofs))
        return await super().find(proofs)


def asked(lookups: KeyLookups, count: int) -> list[asyncio.Task[bytes | None]]:
    return [asyncio.ensure_future(lookups.find(f"p{number}")) for number in range(count)]


async def test_each_gets_what_it_asked_for() -> None:
    key_store = FakeKeyStore()
    key_store.entries |= {f"p{number}": b"%d" % number for number in range(0, 100, 2)}
    store = Counting(key_store)
    lookups = KeyLookups(store, 4)
    found = await asyncio.gather(*asked(lookups, 100))
    assert found == [None if number % 2 else b"%d" % number for number in range(100)]
    assert (store.sizes, len(lookups)) == ([BATCH] * (100 // BATCH) + [100 % BATCH], 0)


async def test_those_beyond_what_is_under_way_wait_for_it() -> None:
    key_store = FakeKeyStore()
    key_store.open.clear()
    store = Counting(key_store)
    lookups = KeyLookups(store, 2)
    waiting = asked(lookups, 3 * BATCH)
    await turn()
    await turn()
    assert (store.sizes, len(lookups)) == ([BATCH] * 2, 3 * BATCH)
    waiting[0].cancel()
    key_store.open.set()
    assert await asyncio.gather(*waiting[1:]) == [None] * (3 * BATCH - 1)
    assert (store.sizes, len(lookups)) == ([BATCH] * 3, 0)


async def test_waiting_callers_fail_at_once_when_redis_does_not_answer() -> None:
    key_store = FakeKeyStore()
    key_store.open.clear()
    store = Counting(key_store)
    lookups = KeyLookups(store, 1)
    waiting = asked(lookups, 5 * BATCH)
    await turn()
    await turn()
    key_store.away = True
    key_store.open.set()
    for each in waiting:
        with pytest.raises(RedisConnectionError, match="away"):
            await each
    assert (store.sizes, len(lookups)) == ([BATCH] * 2, 0)
    key_store.away = False
    assert await lookups.find("p") is None


class LateOnce(Counting):
    """The first answer is lost."""

    async def find(self, proofs: Sequence[str]) -> list[bytes | None]:
        found = await super().find(proofs)
        if len(self.sizes) == 1:
            raise RedisConnectionError("timeout")
        return found


async def test_one_answer_that_is_late_is_asked_for_again() -> None:
    key_store = FakeKeyStore()
    key_store.entries["p"] = b"found"
    store = LateOnce(key_store)
    assert (await KeyLookups(store, 1).find("p"), store.sizes) == (b"found", [1, 1])


async def test_a_redis_that_refuses_is_not_asked_again() -> None:
    key_store = FakeKeyStore()
    key_store.refuses.add("HGET")
    store = Counting(key_store)
    with pytest.raises(RedisConnectionError, match="NOPERM"):
        await KeyLookups(store, 1).find("p")
    assert store.sizes == [1]
