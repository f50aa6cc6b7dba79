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
from tests.unit.keystore.query_server import HERE, QueryServer


@pytest.fixture
def desk() -> QueryServer:
    return QueryServer()


async def test_a_key_is_asked_for_once(desk: QueryServer) -> None:
    desk.shelf.put("good", organizations=["acme", "initech"], plan="gold")
    for _ in range(3):
        caller = await desk.find("good")
        assert (caller.id, caller.organization, caller.plan) == ("good", "acme", "gold")
    assert (await desk.find("good", "initech")).organization == "initech"
    assert await desk.refused("good", "umbrella") is ORGANIZATION_FORBIDDEN
    assert (desk.look_ups, desk.results) == (1, {"found": 1, "memory": 4})
    assert (len(desk.keys), repr(desk.keys)) == (1, "<StoredKeys 1 known, 0 nobody's, 0 asked for>")


async def test_those_who_wait_for_the_same_key_share_one_question(desk: QueryServer) -> None:
    desk.shelf.put("good")
    desk.shelf.open.clear()
    waiting = [asyncio.ensure_future(desk.find("good")) for _ in range(5)]
    await turn()
    waiting[0].cancel()  # the one that asked: the others are answered all the same
    await turn()
    desk.shelf.open.set()
    assert [(await each).id for each in waiting[1:]] == ["good"] * 4
    assert desk.look_ups == 1


async def test_a_change_is_believed_at_once(desk: QueryServer) -> None:
    proof = desk.shelf.put("good")
    other = desk.shelf.put("other")
    await desk.find("good")
    await desk.find("other")
    await desk.refused("bad")
    desk.shelf.put("good", disabled=True)
    bad = desk.shelf.put("bad")
    desk.keys.forget([proof, bad])
    assert await desk.refused("good") is KEY_DISABLED
    assert (await desk.find("bad")).id == "bad"
    del desk.shelf.entries[other]
    assert (await desk.find("other")).id == "other"
    desk.keys.forget(None)
    assert await desk.refused("other") is KEY_UNKNOWN
    assert await desk.refused("good") is KEY_DISABLED
    assert len(desk.keys) == 2


async def test_an_answer_from_before_a_change_is_not_kept(desk: QueryServer) -> None:
    desk.shelf.put("good")
    desk.shelf.open.clear()
    for secret in ("good", "bad"):
        waiting = asyncio.ensure_future(desk.find(secret))
        await turn()
        await turn()
        desk.keys.forget([proof_of_secret(secret)])
        desk.shelf.open.set()
        await asyncio.wait([waiting])
        assert (waiting.exception() is None) == (secret == "good")
        desk.shelf.open.clear()
    assert repr(desk.keys) == "<StoredKeys 0 known, 0 nobody's, 0 asked for>"
    waiting = asyncio.ensure_future(desk.find("good"))
    await turn()
    desk.keys.forget([proof_of_secret("another")])
    desk.shelf.open.set()
    await waiting
    assert len(desk.keys) == 1


async def test_who_comes_after_a_change_does_not_wait_for_an_answer_from_before(desk: QueryServer) -> None:
    proof = desk.shelf.put("good")
    desk.shelf.open.clear()
    before = asyncio.ensure_future(desk.find("good"))
    await turn()
    await turn()
    desk.shelf.put("good", disabled=True)
    desk.keys.forget([proof])
    after = asyncio.ensure_future(desk.find("good"))
    await turn()
    desk.shelf.open.set()
    await asyncio.wait([before, after])
    assert before.exception() is None
    assert isinstance(after.exception(), GatewayError)
    assert await desk.refused("good") is KEY_DISABLED
    assert repr(desk.keys) == "<StoredKeys 1 known, 0 nobody's, 0 asked for>"


async def test_without_redis_what_is_known_works_and_the_rest_cannot_be_checked(desk: QueryServer) -> None:
    desk.shelf.put("good")
    desk.shelf.put("new")
    await desk.find("good")
    await desk.refused("bad")
    desk.shelf.away = True
    assert (await desk.find("good")).id == "good"
    assert await desk.refused("new") is KEYS_UNAVAILABLE
    assert await desk.refused("bad") is KEY_UNKNOWN
    desk.keys.forget(None)
    assert (await desk.find("good")).id == "good"
    assert await desk.refused("bad") is KEYS_UNAVAILABLE
    assert desk.results["error"] == 3
    desk.shelf.away = False
    assert (await desk.find("new")).id == "new"


async def test_a_certificate_is_found_by_its_subject_only(desk: QueryServer) -> None:
    desk.shelf.put_certified("CN=billing")
    for _ in range(2):
        assert (await desk.keys.certified("CN=billing", None, 0.0, HERE)).id == "certified"
    with pytest.raises(GatewayError) as caught:
        await desk.keys.certified("CN=stranger", None, 0.0, HERE)
    assert caught.value.fault is KEY_MISSING
    assert await desk.refused("CN=billing") is KEY_UNKNOWN
    assert desk.look_ups == 3


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
async def test_what_is_not_understood_gives_no_access_and_is_told_once(desk: QueryServer, content: bytes, problem: str) -> None:
    proof = desk.shelf.put("odd")
    desk.shelf.entries[proof] = content
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            assert await desk.refused("odd") is KEY_UNUSABLE
        desk.keys.forget(None)
        assert await desk.refused("odd") is KEY_UNUSABLE
    (line,) = lines
    assert (line["event"], line["problem"]) == ("key unusable", problem)


@pytest.mark.parametrize(
    "content", [b'{"id": "\xff"}', b'{"id": ' + b"[" * 20_000, b'{"id": "long", "routes": [' + b'"a.b",' * 10_000 + b'"c"]}']
)
async def test_no_content_is_a_bug_or_holds_others_up(desk: QueryServer, content: bytes) -> None:
    desk.shelf.entries[desk.shelf.put("odd")] = content
    assert await desk.refused("odd") is KEY_UNUSABLE


async def test_a_key_that_is_wrong_in_another_way_is_told_again(desk: QueryServer) -> None:
    with structlog.testing.capture_logs() as lines:
        for plan in ("platinum", "platinum", "iron"):
            desk.keys.forget([desk.shelf.put("odd", plan=plan)])
            assert await desk.refused("odd") is KEY_UNUSABLE
        desk.shelf.put("no id", id=7, **dict.fromkeys(map(str, range(500)), 0))
        assert await desk.refused("no id") is KEY_UNUSABLE
    assert [(line["key_id"], line["problem"]) for line in lines][:2] == [
        ("odd", "there is no plan `platinum`"),
        ("odd", "there is no plan `iron`"),
    ]
    assert [(line["key_id"], len(line["problem"])) for line in lines[2:]] == [("7", 500)]


async def test_a_pattern_without_a_route_allows_nothing(desk: QueryServer) -> None:
    desk.shelf.put("narrow", routes=["orders.*"])
    assert (await desk.find("narrow")).routes == frozenset()


async def test_both_secrets_of_a_key_have_one_bucket(desk: QueryServer) -> None:
    for secret in ("old", "new"):
        proof = desk.shelf.put(secret)
        desk.shelf.entries[proof] = json.dumps({"id": "k", "secret_sha256": proof}).encode()
    old, new = await desk.find("old"), await desk.find("new")
    assert old.bucket == new.bucket
    assert old.claim.keys == new.claim.keys


async def test_a_key_is_found_by_its_id_for_those_who_look_after_it(desk: QueryServer) -> None:
    desk.shelf.put("k", plan="gold")
    desk.shelf.name("k", plan="gold")
    desk.shelf.name("odd", plan="platinum")
    key = await desk.keys.named("k")
    assert key is not None
    assert key.callers[None].bucket == (await desk.find("k")).bucket
    assert await desk.keys.named("odd") is None
    assert await desk.keys.named("nobody") is None
    desk.shelf.ids["torn"] = b"{"
    assert await desk.keys.named("torn") is None
    desk.shelf.away = True
    with pytest.raises(GatewayError) as caught:
        await desk.keys.named("k")
    assert caught.value.fault is KEYS_UNAVAILABLE


async def test_uses_are_told_once_a_minute(desk: QueryServer) -> None:
    desk.shelf.put("a")
    desk.shelf.put("b", disabled=True)
    await desk.refused("b")
    for wall_s in (1000.0, 1001.0, 1059.9):
        await desk.find("a", wall_s=wall_s)
    assert desk.keys.take_used(10) == {"a": 1000.0}
    assert desk.keys.take_used(10) == {}
    desk.keys.forget(None)
    await desk.find("a", wall_s=1059.9)
    assert desk.keys.take_used(10) == {}
    await desk.find("a", wall_s=1060.0)
    desk.shelf.put("c")
    await desk.find("c", wall_s=1060.0)
    assert [desk.keys.take_used(1) for _ in range(3)] == [{"a": 1060.0}, {"c": 1060.0}, {}]


async def test_a_use_of_a_key_that_is_gone_is_not_told(desk: QueryServer) -> None:
    proof = desk.shelf.put("a", plan="gold")
    desk.shelf.put("b")
    bad = desk.shelf.put("bad", plan="none")
    await desk.find("a")
    await desk.find("b")
    await desk.refused("bad")
    desk.keys.forget([proof, bad])
    assert desk.keys.take_used(10) == {"b": 1000.0}


async def test_what_another_one_knew_is_good_enough_while_redis_is_away(desk: QueryServer) -> None:
    for secret in ("good", "changed", "other"):
        desk.shelf.put(secret)
        await desk.find(secret)
    successor = QueryServer()
    successor.keys.adopt(desk.keys.export())
    successor.shelf.away = True
    successor.keys.forget([proof_of_secret("changed")])
    assert [caller.id for caller in await asyncio.gather(successor.find("good"), successor.find("good"))] == ["good", "good"]
    assert await successor.refused("changed") is KEYS_UNAVAILABLE
    assert len(successor.keys) == 1
    grandchild = QueryServer()
    grandchild.keys.adopt(successor.keys.export())
    grandchild.shelf.away = True
    assert [(await grandchild.find(secret)).id for secret in ("good", "other")] == ["good", "other"]
    grandchild.shelf.away = False
    assert await grandchild.refused("good") is KEY_UNKNOWN
    grandchild.shelf.away = True
    assert await grandchild.refused("good") is KEY_UNKNOWN
