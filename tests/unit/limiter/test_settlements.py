"""limiter/settlements.py: Redis is charged once for each call, whatever happens on the way."""

import asyncio
import time

from gateway.kernel.limits.quota import LEASE_MS, MeterUpdate
from gateway.limiter import settlements as module
from gateway.limiter.settlements import BATCH, MAX_RELEASES, RELEASES_AT_ONCE, SCRIPT, SCRIPT_SHA, Settlements
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.connection import RedisReply
from tests.clocks import ManualClock
from tests.redis_server import RedisProcess

RAISE = [MeterUpdate("{a}:sum", "add", 5)]


class Store:
    """Takes commands while it is `there`, and says so."""

    def __init__(self) -> None:
        self.there = True
        self.accepted: list[bytes] = []

    async def call(self, command: bytes, tag: str) -> RedisReply:
        assert tag == "a"
        await asyncio.sleep(0)
        if not self.there:
            return RedisConnectionError("away")
        self.accepted.append(command)
        return 1


def test_a_command_names_its_keys_and_marks_what_must_not_be_done_twice() -> None:
    settlements = Settlements("gw:1:", Store().call, time.monotonic)
    plain = settlements.command([MeterUpdate("{a}:c", "drop", unit="u")], "a").split(b"\r\n")[2::2]
    assert plain == [b"EVALSHA", SCRIPT_SHA, b"1", b"gw:1:{a}:c", b"0", b"drop", b"0", b"0", b"u"]
    marked = settlements.command(RAISE, "a", "x").split(b"\r\n")[2::2]
    assert marked[2:6] == [b"2", b"gw:1:{a}:sum", b"gw:1:{a}:settled/x", b"60000"]


def test_what_was_done_is_not_done_again(redis_server: RedisProcess) -> None:
    arguments = ("2", "sum", "settled", 60_000, "add", 5, 0, "")
    assert [redis_server.ask("EVAL", SCRIPT, *arguments) for _ in range(3)] == [1, 0, 0]
    assert redis_server.ask("GET", "sum") == b"5:0"
    assert 0 < redis_server.ask("PTTL", "settled") <= 60_000


def test_what_was_not_counted_is_not_undone(redis_server: RedisProcess) -> None:
    redis_server.ask("SET", "sum", "7:0")
    arguments = ("2", "sum", "counted", -1, "refund", 0, 0, "")
    assert redis_server.ask("EVAL", SCRIPT, *arguments) == 0
    redis_server.ask("SET", "counted", "")
    assert [redis_server.ask("EVAL", SCRIPT, *arguments) for _ in range(2)] == [1, 0]
    assert redis_server.ask("GET", "sum") == b"6:0"


async def test_releases_are_sent_when_redis_is_back() -> None:
    store, clock = Store(), ManualClock()
    settlements = Settlements("gw:1:", store.call, clock.clock.monotonic)
    drops = [MeterUpdate("{a}:c", "drop", unit=str(number)) for number in range(RELEASES_AT_ONCE + 2)]
    store.there = False
    for drop in drops:
        await settlements.send_releases([drop], "a")
    settlements.send_kept_releases()
    await settlements.finish()
    assert (store.accepted, settlements.owed, settlements.lost) == ([], 0, 0)
    store.there = True
    await settlements.pay()
    await settlements.finish()
    assert store.accepted == [
        settlements.command(drops[:RELEASES_AT_ONCE], "a"),
        settlements.command(drops[RELEASES_AT_ONCE:], "a"),
    ]


async def test_releases_of_units_that_have_ended_are_not_sent() -> None:
    store, clock = Store(), ManualClock()
    settlements = Settlements("gw:1:", store.call, clock.clock.monotonic)
    store.there = False
    await settlements.send_releases([MeterUpdate("{a}:c", "drop", unit="u")], "a")
    clock.advance(LEASE_MS / 1000)
    store.there = True
    settlements.send_kept_releases()
    await settlements.finish()
    assert store.accepted == []


async def test_releases_are_kept_in_bounded_memory() -> None:
    store, clock = Store(), ManualClock()
    settlements = Settlements("gw:1:", store.call, clock.clock.monotonic)
    store.there = False
    await settlements.send_releases([MeterUpdate("{a}:c", "drop", unit="u")] * (MAX_RELEASES + 1), "a")
    assert len(settlements._releases) == MAX_RELEASES


async def test_settlements_that_redis_does_not_take_are_kept_and_sent_again() -> None:
    store = Store()
    settlements = Settlements("gw:1:", store.call, time.monotonic)
    store.there = False
    for number in range(BATCH + 3):
        await settlements.send(RAISE, "a", str(number))
    await settlements.pay()
    assert (settlements.owed, store.accepted) == (BATCH + 3, [])
    store.there = True
    await settlements.pay()
    assert (settlements.owed, len(store.accepted)) == (0, BATCH + 3)
    assert store.accepted[0] == settlements.command(RAISE, "a", "0")


async def test_before_the_end_what_is_under_way_is_waited_for_and_what_is_owed_tried_once_more() -> None:
    store = Store()
    settlements = Settlements("gw:1:", store.call, time.monotonic)
    store.there = False
    await settlements.send(RAISE, "a", "1")
    store.there = True
    settlements.send(RAISE, "a", "2")
    assert settlements.owed == 2
    await settlements.finish()
    assert (settlements.owed, settlements.lost, len(store.accepted)) == (0, 0, 2)
    store.there = False
    settlements.send(RAISE, "a", "3")
    await settlements.finish()
    assert (settlements.owed, settlements.lost) == (0, 1)


async def test_what_is_kept_is_bounded() -> None:
    store = Store()
    store.there = False
    settlements = Settlements("gw:1:", store.call, time.monotonic)
    settlements.entries.update(dict.fromkeys(range(module.MAX_OWED), (b"", "a")))
    await settlements.send(RAISE, "a")
    assert (settlements.owed, settlements.lost) == (module.MAX_OWED, 1)


async def test_the_repr_is_for_operators() -> None:
    assert repr(Settlements("gw:1:", Store().call, time.monotonic)) == "<Settlements 0 owed, 0 lost>"
