"""Ways to bring about faults: each returns the gateway where it happened, and the reply."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from gateway.keystore.records import KeyNames, proof_of_secret
from tests.fakes import End, reply, until
from tests.gateway_process import KEY
from tests.journeys.backends import Place, ask, clients, requesting
from tests.journeys.fault_scenarios import (
    ALONE,
    MOST_CONNECTIONS,
    ONCE,
    FaultScenarios,
)
from tests.raw_client import RawClient, RawReply

Provoke: TypeAlias = Callable[[FaultScenarios], Awaitable[tuple[Place, RawReply]]]


class Journey(NamedTuple):
    """What leads to a fault, and what the contract says that the client then gets. `route` is the access line's."""

    provoke: Provoke
    status: int
    code: int
    route: str | None = None
    proxy: str | None = None


def sending(request: bytes, *, method: str = "GET") -> Provoke:
    """These bytes."""

    async def provoke(here: FaultScenarios) -> tuple[Place, RawReply]:
        async with await RawClient.connect(here.gateway.port) as client:
            await client.send(request)
            return here.gateway, await client.reply(method)

    return provoke


def calling(method: str, path: str, *lines: str, key: str | None = KEY, body: bytes | None = None) -> Provoke:
    """A well-formed request."""
    return sending(requesting(method, path, *lines, key=key, body=body), method=method)


def answered(path: str, *steps: bytes | asyncio.Event | End) -> Provoke:
    """A request that the backend answers like this."""

    async def provoke(here: FaultScenarios) -> tuple[Place, RawReply]:
        here.service.on(path, *steps)
        return here.gateway, await ask(here.gateway, "GET", path)

    return provoke


def calling_again(key: str) -> Provoke:
    """After a first call that was served."""

    async def provoke(here: FaultScenarios) -> tuple[Place, RawReply]:
        here.service.on("/v1/a", reply())
        await ask(here.gateway, "GET", "/v1/a", key=key)
        return here.gateway, await ask(here.gateway, "GET", "/v1/a", key=key)

    return provoke


async def two_at_once(here: FaultScenarios) -> tuple[Place, RawReply]:
    release = asyncio.Event()
    here.service.on("/v1/slow", release, reply())
    first = asyncio.ensure_future(ask(here.gateway, "GET", "/v1/slow", key=ALONE))
    await until(lambda: bool(here.service.at("/v1/slow")))
    refused = await ask(here.gateway, "GET", "/v1/slow", key=ALONE)
    release.set()
    await first
    return here.gateway, refused


async def the_same_at_once(here: FaultScenarios) -> tuple[Place, RawReply]:
    release = asyncio.Event()
    path = here.service.on("/once/slow", release, reply())
    first = asyncio.ensure_future(ask(here.gateway, "POST", path, "Idempotency-Key: a", body=b"{}"))
    await until(lambda: bool(here.service.at(path)))
    refused = await ask(here.gateway, "POST", path, "Idempotency-Key: a", body=b"{}")
    release.set()
    await first
    return here.gateway, refused


async def again_after_a_large_reply(here: FaultScenarios) -> tuple[Place, RawReply]:
    path = here.service.on("/once/large", reply(b"[" + b"1," * 200_000 + b"1]"))
    await ask(here.gateway, "POST", path, "Idempotency-Key: c", body=b"{}")
    return here.gateway, await ask(here.gateway, "POST", path, "Idempotency-Key: c", body=b"{}")


async def another_with_the_same_key(here: FaultScenarios) -> tuple[Place, RawReply]:
    path = here.service.on("/once/a", reply())
    await ask(here.gateway, "POST", path, "Idempotency-Key: b", body=b"{}")
    return here.gateway, await ask(here.gateway, "POST", path, "Idempotency-Key: b", body=b"[]")


async def without_store(here: FaultScenarios) -> tuple[Place, RawReply]:
    return here.storeless, await ask(here.storeless, "GET", "/v1/a", key=ONCE)


async def with_large_bodies(here: FaultScenarios) -> tuple[Place, RawReply]:
    return here.storeless, await ask(here.storeless, "POST", "/described", body=b" " * 200_000)


async def with_a_plan_that_there_is_not(here: FaultScenarios) -> tuple[Place, RawReply]:
    here.redis.ask("HSET", PROOFS, proof_of_secret("odd"), '{"id": "odd", "plan": "platinum"}')
    return here.stored, await ask(here.stored, "GET", "/v1/a", key="odd")


async def without_keys(here: FaultScenarios) -> tuple[Place, RawReply]:
    here.redis.ask("DEL", PROOFS)
    here.redis.ask("SET", PROOFS, "what gateways cannot read")
    try:
        return here.stored, await ask(here.stored, "GET", "/v1/a", key="new")
    finally:
        here.redis.ask("DEL", PROOFS)


async def _beside_a_call(here: FaultScenarios, path: str) -> tuple[Place, RawReply]:
    """The reply to a second call of `path` while the first is with the service."""
    release = asyncio.Event()
    here.service.on(path, release, reply())
    first = asyncio.ensure_future(ask(here.gateway, "GET", path))
    await until(lambda: bool(here.service.at(path)))
    refused = await ask(here.gateway, "GET", path)
    release.set()
    assert (await first).status == 200
    return here.gateway, refused


async def without_connection(here: FaultScenarios) -> tuple[Place, RawReply]:
    return await _beside_a_call(here, "/single")


async def beyond_its_share(here: FaultScenarios) -> tuple[Place, RawReply]:
    return await _beside_a_call(here, "/shared")


async def beside_a_stream(here: FaultScenarios) -> tuple[Place, RawReply]:
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    here.service.on("/streaming", begun, asyncio.Event())
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", "/streaming"))
        assert await client.interim() == 200
        return here.gateway, await ask(here.gateway, "GET", "/streaming")


async def too_often(here: FaultScenarios) -> tuple[Place, RawReply]:
    await ask(here.gateway, "GET", "/broken")
    return here.gateway, await ask(here.gateway, "GET", "/broken")


async def cut_off(here: FaultScenarios) -> tuple[Place, RawReply]:
    waiting = asyncio.ensure_future(ask(here.buggy, "GET", "/v1/wait"))
    await here.buggy.upstream.asked.wait()
    here.buggy.cut()
    return here.buggy, await waiting


async def in_a_crowd(here: FaultScenarios) -> tuple[Place, RawReply]:
    async with clients(here.buggy, MOST_CONNECTIONS):
        return here.buggy, await ask(here.buggy, "GET", "/v1/a")


async def by_a_bug(here: FaultScenarios) -> tuple[Place, RawReply]:
    return here.buggy, await ask(here.buggy, "GET", "/v1/a")


PROOFS = KeyNames.of("gw").proofs
HUGE = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %b\r\n" % (number, b"a" * 1000) for number in range(80)) + b"\r\n"
BOMB = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"


def bomb() -> bytes:
    """10 MiB of JSON in 10 KiB."""
    body = gzip.compress(b"[" + b" " * (10 << 20) + b"]")
    return BOMB % len(body) + body
