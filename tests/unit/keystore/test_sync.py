"""keystore/sync.py: changes reach the keys, with and without notices, and uses reach Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
import structlog

from gateway.audit.records import record_of
from gateway.audit.redis_stream import write_records
from gateway.kernel.clock import Clock
from gateway.keystore.cache import RESULTS, StoredKeys
from gateway.keystore.notifications import KeyNotifications, addresses_of
from gateway.keystore.reader import SCRIPTS, KeyReader
from gateway.keystore.sync import KeySync, key_sync
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.observe.metrics import Metrics
from gateway.settings import parse
from gateway.settings.checks.stored_keys import References
from gateway.table.keys import KeyMaker
from tests.audited import AT_S, entry
from tests.clocks import ManualClock
from tests.fake_key_store import NAMES, STORED, FakeKeyStore, Uncounted
from tests.fakes import until
from tests.redis_acl import acl_rules
from tests.redis_server import RedisProcess, free_port
from tests.yaml_files import LEAST


class Reported(StoredKeys):
    """Remembers what it was to forget."""

    def __init__(self, store: KeyReader) -> None:
        super().__init__(
            store, References(STORED), KeyMaker(STORED).make, dict.fromkeys(RESULTS, Uncounted()), ManualClock().clock
        )
        self.forgotten: list[set[str] | None] = []

    def forget(self, proofs: Iterable[str] | None) -> None:
        self.forgotten.append(None if proofs is None else set(proofs))
        super().forget(proofs)


class Watched:
    """A watch over a FakeKeyStore, whose notices come from nowhere: it has to ask."""

    def __init__(self) -> None:
        self.key_store = FakeKeyStore()
        store = KeyReader(self.key_store.call, "gw")
        self.keys = Reported(store)
        nowhere = KeyNotifications(addresses_of(f"redis://127.0.0.1:{free_port()}"), NAMES.changed)
        self.watch = KeySync(self.keys, store, nowhere, lambda: -1.4)  # a pause of 25 ms

    async def polls(self, more: int) -> None:
        goal = self.key_store.asked["LINDEX"] + more
        await until(lambda: self.key_store.asked["LINDEX"] >= goal)


@pytest.fixture
async def here() -> AsyncIterator[Watched]:
    watched = Watched()
    watched.watch.start()
    yield watched
    await watched.watch.close()


async def test_changes_are_asked_for_again_and_again(here: Watched) -> None:
    await here.polls(3)
    assert here.keys.forgotten == []
    here.key_store.change("n1", "a")
    await until(lambda: here.keys.forgotten == [None])
    here.key_store.change("n2", "b")
    here.key_store.change("n3", "c")
    await until(lambda: len(here.keys.forgotten) == 2)
    assert here.keys.forgotten == [None, {"b", "c"}]
    await here.polls(3)
    assert len(here.keys.forgotten) == 2


async def test_while_redis_is_away_nothing_is_forgotten(here: Watched) -> None:
    here.key_store.away = True
    await here.polls(3)
    assert here.keys.forgotten == []
    here.key_store.change("n1", "a")
    here.key_store.away = False
    await until(lambda: here.keys.forgotten == [None])


async def test_without_the_right_to_read_changes_every_key_is_looked_up_again_and_that_is_logged_once(
    here: Watched,
) -> None:
    with structlog.testing.capture_logs() as lines:
        here.key_store.refuses = {"LINDEX", "HSET"}
        here.key_store.put("good")
        await here.keys.find("good", None, 1000.0, "192.0.2.7")
        await until(lambda: len(here.keys.forgotten) >= 3)
        assert set(here.keys.forgotten) == {None}
        here.key_store.refuses = set()
        await here.polls(2)
        here.key_store.refuses = {"LINDEX"}
        await until(lambda: len([line for line in lines if line["refused"] == "changes"]) == 2)
    assert [line["reason"] for line in lines] == ["NOPERM you may not"] * 3


async def test_a_bug_is_logged_and_ends_nothing(here: Watched) -> None:
    with structlog.testing.capture_logs() as lines:
        here.key_store.changes = [5]  # type: ignore[list-item]
        await until(lambda: bool(here.keys.forgotten))
    assert "AttributeError" in lines[0]["reason"]
    here.key_store.changes = [b"n1"]
    await here.polls(2)


async def test_uses_are_written_together(here: Watched) -> None:
    for secret in ("a", "b"):
        here.key_store.put(secret)
        await here.keys.find(secret, None, 1_700_000_000.5, "192.0.2.7")
    await until(lambda: here.key_store.used == {"a": 1_700_000_000, "b": 1_700_000_000})
    await here.polls(2)
    assert here.key_store.asked["HSET"] == 1


async def test_the_last_uses_are_written_at_the_end() -> None:
    watched = Watched()
    watched.key_store.put("a")
    await watched.keys.find("a", None, 1000.0, "192.0.2.7")
    await watched.watch.close()
    assert watched.key_store.used == {"a": 1000}


async def test_a_notice_is_quicker_than_the_next_time_and_the_rights_that_the_readme_asks_for_are_enough(
    redis_server: RedisProcess,
) -> None:
    given = acl_rules("limits", "quotas", "keys in Redis")
    redis_server.ask("ACL", "SETUSER", "gateway", "on", ">pw", "~gw:*", "&gw:*", *given)
    url = redis_server.url.replace("//", "//gateway:pw@")
    config = parse(LEAST + f"redis: {{url: '{url}'}}\nkeys: {{store: redis}}\n")
    metrics = Metrics()
    clock = Clock(asyncio.get_running_loop().time, lambda: 1000.0)
    limiter = RedisLimiter(url, "gw", 5.0, "deny", clock, more_scripts=SCRIPTS)
    watch = key_sync(config, limiter, metrics, clock, logs_commands=True)
    assert watch is not None
    watch._chance = lambda: 100.0  # it asks by itself every half minute only
    await limiter.start()
    watch.start()
    try:
        redis_server.ask("HSET", NAMES.proofs, "p", b"{}")
        await until(lambda: redis_server.ask("PUBSUB", "NUMSUB", NAMES.changed)[1] == 1)
        write_records(redis_server.url, "gw", [record_of(entry(), "7", AT_S, None)])
        with structlog.testing.capture_logs() as lines:
            for name in ("n1", "n2"):
                redis_server.ask("LPUSH", NAMES.changes, name)
                redis_server.ask("PUBLISH", NAMES.changed, "")
                await until(lambda name=name: watch._newest == name.encode())  # type: ignore[misc]
            await until(lambda: any(line["event"] == "audit" for line in lines))
        assert watch._logged == set()
        assert [line["id"] for line in lines if line["event"] == "audit"] == ["7"]
    finally:
        await watch.close()
        await limiter.close()


def test_there_is_none_where_keys_stand_in_the_file() -> None:
    assert key_sync(parse(LEAST), LocalLimiter(ManualClock().clock), Metrics(), ManualClock().clock) is None


async def test_a_refused_subscription_is_logged_once(redis_server: RedisProcess) -> None:
    redis_server.ask("ACL", "SETUSER", "default", "-subscribe")
    with structlog.testing.capture_logs() as lines:
        watch = KeySync(
            keys := Reported(store := KeyReader(FakeKeyStore().call, "gw")),
            store,
            KeyNotifications(addresses_of(redis_server.url), NAMES.changed),
            lambda: 0.0,
        )
        watch.start()
        await until(lambda: redis_server.ask("INFO", "stats")["total_connections_received"] > 4)
        await watch.close()
    assert keys.forgotten == []
    assert [(line["refused"], line["reason"][:6]) for line in lines if line["event"] == "keys in redis"] == [
        ("notices", "NOPERM")
    ]
