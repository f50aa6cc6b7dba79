"""limiter/outage_journal.py: state is recorded once a turn of the loop, in memory that outlives the process."""

from gateway.kernel.limits.token_bucket import Window, claim
from gateway.limiter.calls_in_flight import CallsInFlight
from gateway.limiter.fallback import Fallback
from gateway.limiter.outage_journal import OutageJournal
from gateway.limiter.outage_memory import OutageMemory
from gateway.limiter.outage_records import (
    BucketRecord,
    GatewaysRecord,
    OwedRecord,
    PaidRecord,
    TallyRecord,
    UnitsRecord,
    decoded,
    encoded,
)
from gateway.limiter.quota_shares import QuotaShares
from gateway.limiter.settlements import Settlements
from gateway.redis_client.connection import RedisReply
from gateway.redis_client.server import AWAY
from tests.fakes import turn
from tests.quota_limiter import CLOCK, COUNT, FLIGHT, LEVEL, SUM

HOURLY = claim("a", (Window("hour", 24, 3_600_000_000, None),))


class Process:
    """What a journal records, and the journal."""

    def __init__(self, memory: OutageMemory | None, workers: int = 1) -> None:
        self.there = False
        self.fallback = Fallback(CLOCK)
        self.settlements = Settlements("gw:", self.call, CLOCK.monotonic)
        quotas = self.fallback.memory.memory_quotas
        self.shares = QuotaShares(quotas, CallsInFlight(self.call, self.settlements, quotas))
        self.journal = OutageJournal(self.fallback, self.shares, self.settlements, memory, workers, lambda: True)

    async def call(self, command: bytes, tag: str) -> RedisReply:
        return 1 if self.there else AWAY


async def test_changes_are_appended_once_a_turn() -> None:
    memory = OutageMemory.shared()
    process = Process(memory)
    for _ in range(3):
        process.fallback.decide_now(HOURLY)
    process.settlements.keep(b"command", "a")
    process.shares.seed((COUNT, LEVEL, FLIGHT), 1)
    process.shares.memory.reserve((COUNT, LEVEL, FLIGHT))
    process.journal.meters_changed([COUNT.key, LEVEL.key, FLIGHT.key, "{a}:unknown"])
    assert memory.used == 0
    await turn()
    records = list(decoded(memory.read()))
    assert [type(record) for record in records[:2]] == [GatewaysRecord, BucketRecord]
    assert {type(record) for record in records[2:]} == {TallyRecord, UnitsRecord, OwedRecord}
    assert len(records) == 5
    assert isinstance(bucket := records[1], BucketRecord)
    assert bucket.debt is not None
    assert bucket.debt.tokens == 3
    process.there = True
    await process.settlements.pay()
    await turn()
    assert isinstance(list(decoded(memory.read()))[-1], PaidRecord)


async def test_what_was_handed_over_is_no_longer_owed_and_the_rest_is() -> None:
    memory = OutageMemory.shared()
    before, after = Process(memory), Process(OutageMemory.shared())
    before.fallback.decide_now(HOURLY)
    after.journal.adopt(before.journal.export_and_forget_debts(), share_only=False)
    assert (before.fallback.debts, after.fallback.debts) == (0, 1)
    before.fallback.decide_now(HOURLY)
    await turn()
    after.journal.adopt(memory.read(), share_only=False)
    debt = after.fallback.debt(HOURLY.keys[0])
    assert debt is not None
    assert debt.tokens == 2
    before.journal.clear()
    assert repr(before.journal) == f"<OutageJournal <OutageMemory {memory.used} bytes>>"


async def test_without_memory_nothing_is_written_and_all_can_be_handed_over() -> None:
    before, after = Process(None), Process(None)
    before.fallback.decide_now(HOURLY)
    before.journal.gateways = 2
    before.journal.meters_changed([COUNT.key])
    before.journal.rewrite()
    before.journal.clear()
    before.journal.discard()
    assert (before.journal.gateways, before.journal.content) == (0, b"")
    after.journal.adopt(before.journal.export(), share_only=True)
    assert (after.fallback.debts, after.fallback.memory.names()) == (0, list(HOURLY.keys))


async def test_a_successor_has_the_shares_the_last_replies_and_the_settlements() -> None:
    before, after = Process(OutageMemory.shared()), Process(OutageMemory.shared(), workers=2)
    before.shares.redis_replied([(COUNT.key, 1)], 7)
    before.shares.seed((LEVEL, SUM), 1)
    before.shares.memory.reserve((LEVEL,))
    before.settlements.keep(b"command", "a")
    after.journal.adopt(before.journal.export(), share_only=False)
    assert after.shares.last == {COUNT.key: (1, 7)}
    assert after.shares.counted_here == {LEVEL.key: 2, SUM.key: 2}
    # One process made the export and two follow it: each has half of what was left, rounded down.
    assert [state.used for state in after.shares.memory.read((LEVEL, SUM))] == [2, 1]
    assert [entry[0] for entry in after.settlements.entries.values()] == [b"command"]
    await turn()


async def test_a_bucket_may_have_a_share_and_no_debt() -> None:
    after = Process(None)
    share = BucketRecord(HOURLY.keys[0], 9_000_000_000_000_000, 150_000_000, None)
    after.journal.adopt(encoded([GatewaysRecord(1, 1, rest=False), share]), share_only=False)
    assert (after.fallback.debts, after.fallback.memory.buckets) == (0, 1)


async def test_only_the_share_is_taken_over_where_another_process_settles() -> None:
    before, after = Process(None), Process(None)
    before.fallback.decide_now(HOURLY)
    before.settlements.keep(b"command", "a")
    after.journal.adopt(before.journal.export(), share_only=True)
    assert (after.fallback.debts, dict(after.settlements.entries)) == (0, {})
    assert after.journal.content == b""


async def test_the_number_of_gateways_and_the_records_can_be_discarded() -> None:
    process = Process(OutageMemory.shared())
    process.journal.gateways = 3
    assert process.journal.gateways == 3
    process.fallback.decide_now(HOURLY)
    await turn()
    assert process.journal.content
    process.journal.discard()
    assert process.journal.content == b""


async def test_a_full_memory_is_written_anew_with_what_counts() -> None:
    memory = OutageMemory.shared()
    process = Process(memory)
    while memory.append(b"\0" * (1 << 20)):
        pass
    process.fallback.decide_now(HOURLY)
    await turn()
    assert [type(record) for record in decoded(memory.read())] == [GatewaysRecord, BucketRecord]
