"""keystore/cache.py: keys in Redis are remembered, forgotten, and asked for no more often than needed."""

import asyncio
import json

import pytest
import structlog

from gateway.kernel.faults import (
    KEY_DISABLED,
    KEY_MISSING,
    KEY_UNKNOWN,
    KEY_UNUSABLE,
    KEYS_UNAVAILABLE,
    ORGANIZATION_FORBIDDEN,
    GatewayError,
)
from gateway.keystore.records import proof_of_secret
from tests.fakes import turn
from tests.refusals import accepted, refusal
from tests.unit.keystore.keys_under_test import HERE, KeysUnderTest


@pytest.fixture
def cache() -> KeysUnderTest:
    return KeysUnderTest()


async def test_a_key_is_asked_for_once(cache: KeysUnderTest) -> None:
    cache.key_store.put("good", organizations=["acme", "initech"], plan="gold")
    for _ in range(3):
        caller = await cache.find("good")
        assert (caller.id, caller.organization, caller.plan) == ("good", "acme", "gold")
    assert (await cache.find("good", "initech")).organization == "initech"
    assert await cache.refused("good", "umbrella") is ORGANIZATION_FORBIDDEN
    assert (cache.lookups, cache.results) == (1, {"found": 1, "memory": 4})
    assert (len(cache.keys), repr(cache.keys)) == (1, "<StoredKeys 1 known, 0 nobody's, 0 asked for>")


async def test_those_who_wait_for_the_same_key_share_one_question(cache: KeysUnderTest) -> None:
    cache.key_store.put("good")
    cache.key_store.open.clear()
    waiting = [asyncio.ensure_future(cache.find("good")) for _ in range(5)]
    await turn()
    waiting[0].cancel()  # the one that asked: the others are answered all the same
    await turn()
    cache.key_store.open.set()
    assert [(await each).id for each in waiting[1:]] == ["good"] * 4
    assert cache.lookups == 1


async def test_a_change_is_believed_at_once(cache: KeysUnderTest) -> None:
    proof = cache.key_store.put("good")
    other = cache.key_store.put("other")
    await cache.find("good")
    await cache.find("other")
    await cache.refused("bad")
    cache.key_store.put("good", disabled=True)
    bad = cache.key_store.put("bad")
    cache.keys.forget([proof, bad])
    assert await cache.refused("good") is KEY_DISABLED
    assert (await cache.find("bad")).id == "bad"
    del cache.key_store.entries[other]
    assert (await cache.find("other")).id == "other"
    cache.keys.forget(None)
    assert await cache.refused("other") is KEY_UNKNOWN
    assert await cache.refused("good") is KEY_DISABLED
    assert len(cache.keys) == 2


async def test_an_answer_from_before_a_change_is_not_kept(cache: KeysUnderTest) -> None:
    cache.key_store.put("good")
    cache.key_store.open.clear()
    for secret in ("good", "bad"):
        waiting = asyncio.ensure_future(cache.find(secret))
        await turn()
        await turn()
        cache.keys.forget([proof_of_secret(secret)])
        cache.key_store.open.set()
        await asyncio.wait([waiting])
        assert (waiting.exception() is None) == (secret == "good")
        cache.key_store.open.clear()
    assert repr(cache.keys) == "<StoredKeys 0 known, 0 nobody's, 0 asked for>"
    waiting = asyncio.ensure_future(cache.find("good"))
    await turn()
    cache.keys.forget([proof_of_secret("another")])
    cache.key_store.open.set()
    await waiting
    assert len(cache.keys) == 1


async def test_who_comes_after_a_change_does_not_wait_for_an_answer_from_before(cache: KeysUnderTest) -> None:
    proof = cache.key_store.put("good")
    cache.key_store.open.clear()
    before = asyncio.ensure_future(cache.find("good"))
    await turn()
    await turn()
    cache.key_store.put("good", disabled=True)
    cache.keys.forget([proof])
    after = asyncio.ensure_future(cache.ask("good"))
    await turn()
    cache.key_store.open.set()
    await asyncio.wait([before, after])
    assert before.exception() is None
    assert isinstance(after.result(), GatewayError)
    assert await cache.refused("good") is KEY_DISABLED
    assert repr(cache.keys) == "<StoredKeys 1 known, 0 nobody's, 0 asked for>"


async def test_without_redis_what_is_known_works_and_the_rest_cannot_be_checked(cache: KeysUnderTest) -> None:
    cache.key_store.put("good")
    cache.key_store.put("new")
    await cache.find("good")
    await cache.refused("bad")
    cache.key_store.away = True
    assert (await cache.find("good")).id == "good"
    assert await cache.refused("new") is KEYS_UNAVAILABLE
    assert await cache.refused("bad") is KEY_UNKNOWN
    cache.keys.forget(None)
    assert (await cache.find("good")).id == "good"
    assert await cache.refused("bad") is KEYS_UNAVAILABLE
    assert cache.results["error"] == 3
    cache.key_store.away = False
    assert (await cache.find("new")).id == "new"


async def test_a_certificate_is_found_by_its_subject_only(cache: KeysUnderTest) -> None:
    cache.key_store.put_certified("CN=billing")
    for _ in range(2):
        assert accepted(await cache.keys.certified("CN=billing", None, 0.0, HERE)).id == "certified"
    caught = refusal(await cache.keys.certified("CN=stranger", None, 0.0, HERE))
    assert caught.fault is KEY_MISSING
    assert await cache.refused("CN=billing") is KEY_UNKNOWN
    assert cache.lookups == 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"id": "k", "plan": "platinum"}', "there is no plan `platinum`"),
        (b'{"id": "k", "organizations": ["acme", "umbrella"]}', "there is no organization `umbrella`"),
        (b'{"id": "k", "quota": 5}', "quota: unknown key"),
        (
            b'{"id": "k", "limits": [{"id": "a", "max": 1, "per": "1s"}, {"id": "a", "max": 1, "per": "1m"}]}',
            "limits[1].id: `a` is the id of another limit of this key",
        ),
        (b"[]", "Expected `object`, got `array`"),
        (b"\xff", "JSON is malformed: invalid character (byte 0)"),
    ],
)
async def test_a_key_that_is_not_understood_gives_no_access_and_is_logged_once(
    cache: KeysUnderTest, content: bytes, problem: str
) -> None:
    proof = cache.key_store.put("odd")
    cache.key_store.entries[proof] = content
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            assert await cache.refused("odd") is KEY_UNUSABLE
        cache.keys.forget(None)
        assert await cache.refused("odd") is KEY_UNUSABLE
    (line,) = lines
    assert (line["event"], line["problem"]) == ("key unusable", problem)


@pytest.mark.parametrize(
    "content",
    [b'{"id": "\xff"}', b'{"id": ' + b"[" * 20_000, b'{"id": "long", "routes": [' + b'"a.b",' * 10_000 + b'"c"]}'],
)
async def test_no_content_is_a_bug_or_holds_others_up(cache: KeysUnderTest, content: bytes) -> None:
    cache.key_store.entries[cache.key_store.put("odd")] = content
    assert await cache.refused("odd") is KEY_UNUSABLE


async def test_a_key_with_another_problem_is_logged_again(cache: KeysUnderTest) -> None:
    with structlog.testing.capture_logs() as lines:
        for plan in ("platinum", "platinum", "iron"):
            cache.keys.forget([cache.key_store.put("odd", plan=plan)])
            assert await cache.refused("odd") is KEY_UNUSABLE
        cache.key_store.put("no id", id=7, **dict.fromkeys(map(str, range(500)), 0))
        assert await cache.refused("no id") is KEY_UNUSABLE
    assert [(line["key_id"], line["problem"]) for line in lines][:2] == [
        ("odd", "there is no plan `platinum`"),
        ("odd", "there is no plan `iron`"),
    ]
    assert [(line["key_id"], len(line["problem"])) for line in lines[2:]] == [("7", 500)]


async def test_a_pattern_without_a_route_allows_nothing(cache: KeysUnderTest) -> None:
    cache.key_store.put("narrow", routes=["orders.*"])
    assert (await cache.find("narrow")).routes == frozenset()


async def test_both_secrets_of_a_key_have_one_bucket(cache: KeysUnderTest) -> None:
    for secret in ("old", "new"):
        proof = cache.key_store.put(secret)
        cache.key_store.entries[proof] = json.dumps({"id": "k", "secret_sha256": proof}).encode()
    old, new = await cache.find("old"), await cache.find("new")
    assert old.bucket == new.bucket
    assert old.claim.keys == new.claim.keys


async def test_a_key_is_found_by_its_id_for_operators(cache: KeysUnderTest) -> None:
    cache.key_store.put("k", plan="gold")
    cache.key_store.name("k", plan="gold")
    cache.key_store.name("odd", plan="platinum")
    key = await cache.keys.named("k")
    assert key is not None
    assert key.callers[None].bucket == (await cache.find("k")).bucket
    assert await cache.keys.named("odd") is None
    assert await cache.keys.named("nobody") is None
    for torn in (b"{", b'{"key":"\xff"}'):
        cache.key_store.ids["torn"] = torn
        assert await cache.keys.named("torn") is None
    cache.key_store.away = True
    with pytest.raises(GatewayError) as caught:
        await cache.keys.named("k")
    assert caught.value.fault is KEYS_UNAVAILABLE


async def test_uses_are_reported_once_a_minute(cache: KeysUnderTest) -> None:
    cache.key_store.put("a")
    cache.key_store.put("b", disabled=True)
    await cache.refused("b")
    for wall_s in (1000.0, 1001.0, 1059.9):
        await cache.find("a", wall_s=wall_s)
    assert cache.keys.take_used(10) == {"a": 1000.0}
    assert cache.keys.take_used(10) == {}
    cache.keys.forget(None)
    await cache.find("a", wall_s=1059.9)
    assert cache.keys.take_used(10) == {}
    await cache.find("a", wall_s=1060.0)
    cache.key_store.put("c")
    await cache.find("c", wall_s=1060.0)
    assert [cache.keys.take_used(1) for _ in range(3)] == [{"a": 1060.0}, {"c": 1060.0}, {}]


async def test_a_use_of_a_deleted_key_is_not_reported(cache: KeysUnderTest) -> None:
    proof = cache.key_store.put("a", plan="gold")
    cache.key_store.put("b")
    bad = cache.key_store.put("bad", plan="none")
    await cache.find("a")
    await cache.find("b")
    await cache.refused("bad")
    cache.keys.forget([proof, bad])
    assert cache.keys.take_used(10) == {"b": 1000.0}


async def test_what_another_one_knew_is_good_enough_while_redis_is_away(cache: KeysUnderTest) -> None:
    for secret in ("good", "changed", "other"):
        cache.key_store.put(secret)
        await cache.find(secret)
    successor = KeysUnderTest()
    successor.keys.adopt(cache.keys.export())
    successor.key_store.away = True
    successor.keys.forget([proof_of_secret("changed")])
    assert [caller.id for caller in await asyncio.gather(successor.find("good"), successor.find("good"))] == [
        "good",
        "good",
    ]
    assert await successor.refused("changed") is KEYS_UNAVAILABLE
    assert len(successor.keys) == 1
    grandchild = KeysUnderTest()
    grandchild.keys.adopt(successor.keys.export())
    grandchild.key_store.away = True
    assert [(await grandchild.find(secret)).id for secret in ("good", "other")] == ["good", "other"]
    grandchild.key_store.away = False
    assert await grandchild.refused("good") is KEY_UNKNOWN
    grandchild.key_store.away = True
    assert await grandchild.refused("good") is KEY_UNKNOWN
