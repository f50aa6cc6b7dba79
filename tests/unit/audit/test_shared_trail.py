"""audit/shared_trail.py: records of one gateway get to Redis, also when it was away."""

import asyncio

from structlog.testing import capture_logs

from gateway.audit.query import AuditQuery
from gateway.audit.redis_stream import write_records
from gateway.audit.shared_trail import SharedAuditTrail
from gateway.settings.schema.server import RedisSettings
from gateway.system.one_shot_thread import Threads
from tests.audited import Background, entry, trail_in_memory
from tests.fakes import until
from tests.redis_server import RedisProcess


def shared(redis: RedisProcess) -> tuple[SharedAuditTrail, Background]:
    settings = RedisSettings.model_validate({"url": redis.url})
    background = Background()
    return SharedAuditTrail(trail_in_memory(), lambda: settings, Threads(), background.run, 0.05), background


async def test_without_redis_the_records_of_this_gateway_are_read() -> None:
    background = Background()
    trail = trail_in_memory()
    alone = SharedAuditTrail(trail, lambda: None, Threads(), background.run)
    record = trail.record(entry())
    assert await alone.read(AuditQuery()) == ([record], False, None)
    assert background.tasks == []
    await alone.close()


async def test_records_of_all_gateways_are_read_in_their_order(redis_server: RedisProcess) -> None:
    one, background = shared(redis_server)
    other, more = shared(redis_server)
    mine = one.trail.record(entry("mine"))
    one.trail.record(entry("mine, too"))
    await asyncio.gather(*background.tasks)
    assert len(background.tasks) == 1
    assert list(one.trail.waiting) == []
    other.trail.record(entry("other"))
    other.trail.waiting[0] = theirs = other.trail.record(entry("theirs"))
    await asyncio.gather(*more.tasks)
    page = await one.read(AuditQuery())
    assert (page.shared, page.problem) == (True, None)
    assert {record.object for record in page.records} >= {"mine", "theirs"}
    assert await one.read(AuditQuery(object="theirs")) == ([theirs], True, None)
    assert mine in page.records


async def test_records_wait_while_redis_is_away(redis_server: RedisProcess) -> None:
    one, background = shared(redis_server)
    redis_server.kill()
    with capture_logs() as lines:
        record = one.trail.record(entry())
        await until(lambda: len(lines) == 2, 10.0)
        page = await one.read(AuditQuery())
        assert (page.records, page.shared) == ([record], False)
        assert page.problem is not None
        await one.close()
        redis_server.start()
        await asyncio.gather(*background.tasks)
    assert [line["event"] for line in lines[:3]] == [
        "audit",
        "audit records wait for redis",
        "audit records are not in redis",
    ]
    assert await one.read(AuditQuery()) == ([record], True, None)


async def test_what_is_on_its_way_is_shown_once(redis_server: RedisProcess) -> None:
    one, background = shared(redis_server)
    record = one.trail.record(entry())
    await asyncio.gather(*background.tasks)
    one.trail.waiting.append(record)  # its reply was lost
    assert (await one.read(AuditQuery())).records == [record]
    write_records(redis_server.url, "gw", [record])
    assert (await one.read(AuditQuery())).records == [record]
