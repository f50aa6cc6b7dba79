"""Gateways as far as their Redis can tell: the parts of each that speak to it, in a time that does not pass by itself.

A model has the heartbeat, the membership of the fleet and the reader of keys of a real gateway, and asks a real Redis.
Only when it asks is simulated, so that a second of a thousand gateways needs no thousand machines.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from heapq import heapify, heapreplace
from typing import NamedTuple

import msgspec

from gateway.fleet.membership import FleetMembership, OwnRecord
from gateway.fleet.query import FleetQuery
from gateway.fleet.record import FleetMembers, GatewayRecord
from gateway.fleet.registry import FleetRegistry
from gateway.kernel.limits.token_bucket import Window, claim
from gateway.keystore.reader import KeyReader
from gateway.keystore.sync import POLL_S
from gateway.limiter.fallback import Fallback
from gateway.limiter.heartbeat import GatewayHeartbeat
from gateway.redis_client.client import RedisCall
from gateway.redis_client.connection import RedisReply
from gateway.supervisor.supervisor import TICK_S
from tests.clocks import ManualClock

SLICE_S = 0.05
"""What falls into the same slice of time is sent together, as from as many gateways."""
PREFIX = "gw"


class CountedCalls:
    """A connection to Redis that counts what is sent, by who sends it."""

    def __init__(self, call: RedisCall) -> None:
        self._call = call
        self.commands: Counter[str] = Counter()

    def of(self, sender: str) -> RedisCall:
        async def call(command: bytes, tag: str) -> RedisReply:
            self.commands[sender] += 1
            return await self._call(command, tag)

        return call


class GatewayModel:
    """One gateway with one worker."""

    def __init__(self, number: int, calls: CountedCalls, clock: ManualClock, chance: random.Random) -> None:
        self.heartbeat = GatewayHeartbeat(f"{PREFIX}:1:gateways", chance.random)
        self._registry = FleetRegistry(calls.of("fleet"), PREFIX)
        host = f"gateway-{number:04}.example"
        record = GatewayRecord(
            f"{number:032x}", host, f"10.0.{number >> 8}.{number & 255}:9901", "0.1.0", f"{number:016x}", 1.8e9
        )
        own = OwnRecord(record, host, 9901, shared=True)
        self.fleet = FleetMembership(lambda: own, self._ask, clock.clock, chance.random)
        self._keys = KeyReader(calls.of("keys"), PREFIX)
        self._newest = b""
        self._beat_call = calls.of("heartbeat")
        self._chance = chance.random

    def work(self) -> list[tuple[Callable[[], Awaitable[object]], Callable[[], float]]]:
        """What it does again and again, and after which pause each time, in seconds."""
        return [
            (self._beat, self.heartbeat.pause_s),
            (self.fleet.tick, lambda: TICK_S),
            (self._poll_keys, lambda: POLL_S * (0.75 + self._chance() / 2)),
        ]

    async def _beat(self) -> None:
        assert await self.heartbeat.beat(self._beat_call)

    async def _poll_keys(self) -> None:
        changes = await self._keys.changes(self._newest)
        if changes is not None:
            self._newest = changes.newest

    async def _ask(self, parameters: dict[str, str]) -> bytes:
        """What a worker does with a question of its supervisor about the fleet."""
        query = msgspec.json.decode(parameters["query"], type=FleetQuery)
        if query.action == "list":
            return msgspec.json.encode(FleetMembers(tuple(await self._registry.members())))
        await self._registry.announce(query.record)
        return msgspec.json.encode(FleetMembers(()))


async def drive(models: list[GatewayModel], clock: ManualClock, chance: random.Random, span_s: float) -> None:
    """Let `span_s` of simulated time pass for all models."""
    began_s = clock.clock.monotonic()
    tasks = [task for model in models for task in model.work()]
    due = [(began_s + chance.random() * pause(), number) for number, (_, pause) in enumerate(tasks)]
    heapify(due)
    while due and due[0][0] < began_s + span_s:
        now_s = clock.clock.monotonic()
        together = []
        while due[0][0] < now_s + SLICE_S:
            at_s, number = due[0]
            run, pause = tasks[number]
            together.append(run())
            heapreplace(due, (at_s + pause(), number))
        await asyncio.gather(*together)
        clock.advance(SLICE_S)


class Admitted(NamedTuple):
    """Shares of a limit that a caller gets while Redis is away, 1.0 being the whole limit."""

    everywhere: float
    """Of one whose calls reach all gateways in turn."""
    at_one: float
    """Of one whose calls all reach the same gateway."""


def admitted(gateways: int, limit: int, known: int, minutes: int = 3) -> Admitted:
    """Ask real fallbacks, one for each gateway that knows of `known`, for more than a limit a minute allows.

    The first minute is left out: buckets are full when it begins, as they are with Redis.
    """
    return Admitted(_admitted(gateways, limit, known, minutes), _admitted(1, limit, known, minutes))


def _admitted(asked: int, limit: int, known: int, minutes: int) -> float:
    clock = ManualClock()
    fallbacks = [_fallback(clock, known) for _ in range(asked)]
    whole = claim("{acme}", (Window("minute", limit, 60_000_000, "Minute"),))
    offered = 4 * max(limit, asked)
    allowed = 0
    for number in range(offered * minutes):
        clock.now_us = 1_000_000_000 + number * 60_000_000 // offered
        decided = fallbacks[number % asked].decide_now(whole)
        allowed += decided.allowed and number >= offered
    return allowed / limit / (minutes - 1)


def _fallback(clock: ManualClock, known: int) -> Fallback:
    fallback = Fallback(clock.clock)
    fallback.gateways = known
    return fallback
