"""Hostile requests are refused with an envelope, or arrive as one request that can be read in one way only."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.contracts.hostile import BODY_BYTES, HEADER_BYTES, KEY_FIELD, MARK, URL_BYTES, Variant, get, number
from tests.contracts.hostile_framing import CHUNKING, FRAMING
from tests.contracts.hostile_heads import HEADS
from tests.contracts.hostile_mixes import MIXES
from tests.contracts.hostile_targets import TARGETING
from tests.envelope_schema import check_envelope
from tests.gateway_process import KEY, GatewayProcess, configuration, digest, running
from tests.raw_client import RawClient, RawReply
from tests.strict_backend import Seen, StrictBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

VARIANTS = number([*FRAMING, *CHUNKING, *TARGETING, *HEADS, *MIXES])
WITHIN_S = 5.0
SENTINEL = "/v1/sentinel"
OWN_ERRORS = {501, 505}
"""The gateway's only statuses from 500 on for what a client did."""

LISTENER = f"""
  drain_delay: 0s
  drain_timeout: 5s
  listeners:
    - id: public
      address: "127.0.0.1:0"
      limits: {{header_bytes: {HEADER_BYTES}B, url_bytes: {URL_BYTES}B, body: {BODY_BYTES}B}}
"""
ROUTES = """
  - {id: all, match: {prefix: /v1, methods: [GET, POST, DELETE]}, upstream: backend}
  - {id: item, match: {path: "/p/items/{id}"}, upstream: backend}
  - {id: guarded, match: {path: "/p/items/{id}/guarded"}, upstream: backend}
"""
KEYS = f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited, routes: [all, item]}}]"


@dataclass(frozen=True)
class World:
    gateway: GatewayProcess
    backend: StrictBackend


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with StrictBackend() as backend:
        yaml = configuration(backend.port, server=LISTENER, routes=ROUTES, keys=KEYS)
        with running(yaml, tmp_path_factory.mktemp("gateway")) as gateway:
            yield World(gateway, backend)


@pytest.mark.parametrize("variant", [pytest.param(variant, id=variant.name) for variant in VARIANTS])
async def test_it_is_refused_or_arrives_as_one_request(world: World, variant: Variant) -> None:
    await judge(world, variant)


@pytest.mark.parametrize(
    "variant", [pytest.param(variant, id=variant.name) for variant in VARIANTS if len(variant.raw) < 3000]
)
async def test_it_does_so_in_pieces_of_any_size(world: World, variant: Variant) -> None:
    await judge(world, variant, pieces_of=7)


async def test_there_are_enough_of_them() -> None:
    assert len(VARIANTS) > 250


async def judge(world: World, variant: Variant, pieces_of: int | None = None) -> None:
    """Send a variant and hold what comes back, and what arrived, to what the variant says."""
    backend = world.backend
    backend.requests.clear()
    ways = _ways(variant.replies, in_pieces=pieces_of is not None)
    async with asyncio.timeout(WITHIN_S):
        replies, ended = await converse(world.gateway, variant, pieces_of or len(variant.raw))
        await _ask_afresh(world.gateway)
    for reply in replies:
        check(reply, variant.method)
    assert any(way.allows([reply.status for reply in replies], ended=ended) for way in ways), (
        replies,
        ended,
        variant.replies,
    )
    assert backend.ambiguous == []
    arrived = [seen for seen in backend.requests if seen.target != SENTINEL]
    assert len(arrived) == sum(reply.status < 400 for reply in replies)
    reached = variant.reached or ("GET /v1/t",) * len(arrived)
    assert [str(seen) for seen in arrived] == list(reached[: len(arrived)])
    for seen in arrived:
        check_arrived(seen)


class Way(NamedTuple):
    """Return the statuses that each reply may have, and whether the connection then ends; None for either."""

    statuses: list[set[int]]
    ends: bool | None

    def allows(self, found: list[int], *, ended: bool) -> bool:
        matches = len(found) == len(self.statuses) and all(
            one in allowed for one, allowed in zip(found, self.statuses, strict=True)
        )
        return matches and self.ends in {None, ended}


def _ways(replies: str, *, in_pieces: bool = False) -> list[Way]:
    """Check a variant. If it is sent in pieces, a refusal may come with the piece that is wrong, for all of it."""
    ways = []
    for spelled in replies.split(" or "):
        words = spelled.split()
        ends = {"end": True, "open": False}.get(words[-1])
        statuses = [{int(status) for status in word.split("|")} for word in words if word[0].isdigit()]
        ways.append(Way(statuses, ends))
        if in_pieces and ends:
            ways += [Way([*statuses[:count], {400}], ends=True) for count in range(len(statuses))]
    return ways


def check(reply: RawReply, method: str) -> None:
    """A reply is an envelope, and blames the client for what the client did."""
    assert reply.status < 500 or reply.status in OWN_ERRORS
    assert KEY not in repr(reply)
    if method == "HEAD":
        assert reply.body == b""
        return
    envelope = check_envelope(reply.status, reply.fields, reply.body, foreign=False)
    assert reply.field("X-Request-Id") == envelope["requestId"]


def check_arrived(seen: Seen) -> None:
    """What a backend may believe comes from the gateway alone, and nothing comes that should not."""
    assert MARK.encode() not in seen.head.replace(
        b"%20smuggled", b""
    )  # as the value of a parameter it is nobody's business
    assert KEY.encode() not in seen.head
    assert seen.values("X-Caller-Id") == ["tester"]
    assert seen.values("X-Caller-Organization") == ["acme"]
    assert seen.values("X-Caller-Plan") == ["unlimited"]
    assert seen.values("X-Forwarded-For") == ["127.0.0.1"]
    assert seen.values("X-Forwarded-Proto") == ["http"]
    assert (
        len(seen.values("X-Forwarded-Host")) == len(seen.values("Forwarded")) == len(seen.values("X-Request-Id")) == 1
    )
    assert len(seen.values("traceparent")) == 1


async def converse(gateway: GatewayProcess, variant: Variant, pieces_of: int) -> tuple[list[RawReply], bool]:
    """Return the replies to a variant, and whether the connection ended. One that goes on serves the next request."""
    async with await RawClient.connect(gateway.port) as client:
        try:
            for at in range(0, len(variant.raw), pieces_of):
                await client.send(variant.raw[at : at + pieces_of])
            if variant.unfinished:
                client.finish_sending()
        except OSError:  # it was refused before it was sent whole
            pass
        replies: list[RawReply] = []
        for _ in range(max(len(way.statuses) for way in _ways(variant.replies))):
            replies.append(await client.reply(variant.method))
            if "close" in (replies[-1].field("Connection") or ""):
                break
        else:
            if not variant.unfinished:
                await client.send(get(target=SENTINEL.encode()))
                assert _target(await client.reply()) == SENTINEL  # so nothing else has been answered in between
                return replies, False
        assert await client.at_eof()
        return replies, True


async def _ask_afresh(gateway: GatewayProcess) -> None:
    async with await RawClient.connect(gateway.port) as client:
        await client.send(get(target=SENTINEL.encode()))
        assert _target(await client.reply()) == SENTINEL


def _target(reply: RawReply) -> str:
    assert reply.status == 200
    return str(json.loads(reply.body)["data"]["result"]["target"])


async def test_all_at_once_leave_no_trace_of_a_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    """And every answer has its line in the log."""
    async with StrictBackend() as backend:
        yaml = configuration(backend.port, server=LISTENER, routes=ROUTES, keys=KEYS)
        with running(yaml, tmp_path_factory.mktemp("gateway")) as gateway:
            limit = asyncio.Semaphore(50)

            async def run(variant: Variant) -> list[RawReply]:
                async with limit:
                    return (await converse(gateway, variant, len(variant.raw)))[0]

            async with asyncio.timeout(30):
                replies = [reply for each in await asyncio.gather(*map(run, VARIANTS)) for reply in each]
            _, metrics = await asyncio.to_thread(gateway.admin, "/metrics")
            assert await asyncio.to_thread(gateway.terminate) == 0
    assert backend.ambiguous == []
    output = "\n".join(gateway.lines) + metrics
    assert KEY not in output
    assert KEY_FIELD.decode() not in output
    assert '"bug"' not in output
    logged = [record["request_id"] for record in gateway.records]
    assert len(set(logged)) == len(logged)
    assert {reply.field("X-Request-Id") for reply in replies} <= set(logged)
