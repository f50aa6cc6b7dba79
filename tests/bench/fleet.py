"""python -m tests.bench.fleet: what gateways cost their Redis, and what becomes of limits without it, for 10 to 1,000.

Commands are counted over some simulated seconds; connections, memory and the time until all know of a changed key are
those of real connections to a real redis-server. CPU and times are those of this machine, on which one process stands
for all gateways. A gateway has one worker here: with more, connections and heartbeats are those of so many gateways.
"""

import argparse
import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import redis

from gateway.fleet.registry import SCRIPT as FLEET
from gateway.fleet.registry import FleetRegistry
from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Window, claim
from gateway.keystore.notifications import KeyNotifications, addresses_of
from gateway.keystore.reader import SCRIPTS, KeyReader
from gateway.keystore.records import KeyNames, Secret, StoredKey
from gateway.keystore.registry import BATCH, KeyRegistry
from gateway.limiter.redis_limiter import RedisLimiter
from tests.bench.compiled import add_option, choose_here
from tests.bench.fleet_model import PREFIX, Admitted, CountedCalls, GatewayModel, admitted, drive
from tests.clocks import ManualClock
from tests.redis_server import RedisProcess, started

SIZES = (10, 100, 1000)
LIMITS = (300, 6000)
"""Calls a minute that one caller may make."""
CLOCK = Clock(time.monotonic, time.time)
GENEROUS_S = 20.0
WARM_UP_S = 5.0
AT_ONCE = 64
"""Decisions that are sent together."""
SAMPLES = 100


class FleetFigures(NamedTuple):
    """Of one size. `redis_cpu` is a share of one core."""

    gateways: int
    commands_hz: float
    redis_cpu: float
    known: int
    list_bytes: int
    connections: int
    connection_bytes: float
    informed_s: float
    outage: dict[int, Admitted]
    """By limit."""


class KeyFigures(NamedTuple):
    """Of one caller with one limit: bytes in Redis, and µs of its CPU for a decision.

    `grown_bytes` is by how much Redis grew, with what it needs to find the bucket and to let it expire.
    """

    bucket_bytes: float
    grown_bytes: float
    stored_key_bytes: float
    decision_us: float


@asynccontextmanager
async def limiters(url: str, count: int, prefix: str = PREFIX) -> AsyncIterator[list[RedisLimiter]]:
    """So many gateways' limiters, each with its connection."""
    scripts = (FLEET, *SCRIPTS)
    made = [RedisLimiter(url, prefix, GENEROUS_S, "local", CLOCK, more_scripts=scripts) for _ in range(count)]
    await asyncio.gather(*(limiter.start() for limiter in made))
    try:
        yield made
    finally:
        await asyncio.gather(*(limiter.close() for limiter in made))


def _bytes_of(server: RedisProcess, name: str) -> int:
    """What one key of Redis takes, all of its fields counted."""
    return int(server.ask("MEMORY", "USAGE", name, "SAMPLES", 0))


def _info(server: RedisProcess, section: str, name: str) -> float:
    return float(server.ask("INFO", section)[name])


async def background(server: RedisProcess, count: int, span_s: float) -> tuple[float, float, int, int]:
    """What gateways do without any calls: commands a second, CPU of Redis, how many they know, bytes of their list."""
    server.ask("FLUSHALL")
    chance, clock = random.Random(1), ManualClock()
    async with limiters(server.url, 1, "carrier") as (carrier,):
        calls = CountedCalls(carrier.call)
        models = [GatewayModel(number, calls, clock, chance) for number in range(count)]
        await drive(models, clock, chance, WARM_UP_S)
        calls.commands.clear()
        server.ask("CONFIG", "RESETSTAT")
        await drive(models, clock, chance, span_s)
        cpu = server.ask("INFO", "commandstats")["cmdstat_evalsha"]["usec"] / 1e6 / span_s
        sent = [_info(server, "stats", "total_net_output_bytes") for _ in range(2)]
        assert len(await FleetRegistry(carrier.call, PREFIX).members()) == count
        list_bytes = _info(server, "stats", "total_net_output_bytes") - sent[1] - (sent[1] - sent[0])
    known = min(model.heartbeat.gateways for model in models)
    return calls.commands.total() / span_s, cpu, known, round(list_bytes)


async def informed(server: RedisProcess, count: int) -> tuple[int, float, float]:
    """Connections of so many gateways, bytes of Redis for each, and seconds until all know that a key was changed."""
    server.ask("FLUSHALL")
    registry, names = KeyRegistry(redis.Redis(port=server.port), PREFIX), KeyNames.of(PREFIX)
    before = _info(server, "clients", "connected_clients"), _info(server, "memory", "used_memory")
    async with limiters(server.url, count) as connected, asyncio.TaskGroup() as group:
        woken = [asyncio.Event() for _ in connected]
        listening = [
            group.create_task(KeyNotifications(addresses_of(server.url), names.changed).listen(wake.set, _refused))
            for wake in woken
        ]
        await asyncio.gather(*(wake.wait() for wake in woken))  # by the answer to the subscription
        connections = _info(server, "clients", "connected_clients") - before[0]
        taken = _info(server, "memory", "used_memory") - before[1]
        for wake in woken:
            wake.clear()
        began_s = time.monotonic()
        registry.change(["acme"], lambda _: {"acme": _key("acme")})
        await asyncio.gather(*(_learn(*each) for each in zip(connected, woken, strict=True)))
        took_s = time.monotonic() - began_s
        for task in listening:
            task.cancel()
    return round(connections), taken / connections, took_s


async def _learn(limiter: RedisLimiter, wake: asyncio.Event) -> None:
    await wake.wait()
    assert await KeyReader(limiter.call, PREFIX).changes(b"") is not None


def _refused(reason: str) -> None:
    raise AssertionError(reason)


def _key(name: str) -> StoredKey:
    secret = Secret(f"{random.Random(name).getrandbits(256):064x}")
    return StoredKey({"id": name, "plan": "gold", "organizations": ["acme"]}, (secret,), "2026-01-01T00:00:00Z")


async def of_keys(server: RedisProcess, callers: int) -> KeyFigures:
    """What one caller costs, from so many."""
    server.ask("FLUSHALL")
    window = (Window("day", 10_000, 86_400_000_000, "Day"),)  # its buckets are not full again before they are measured
    claims = [claim(f"caller-{number:08}", window) for number in range(callers)]
    async with limiters(server.url, 1) as (limiter,):
        used, before = _cpu_s(server), _info(server, "memory", "used_memory")
        for first in range(0, callers, AT_ONCE):
            decided = await asyncio.gather(*(limiter.decide(each) for each in claims[first : first + AT_ONCE]))
            assert all(each.store == "redis" for each in decided)
        decision_us = (_cpu_s(server) - used) / callers * 1e6
        grown = (_info(server, "memory", "used_memory") - before) / callers
    buckets = [_bytes_of(server, f"{PREFIX}:1:{key}") for each in claims[:SAMPLES] for key in each.keys]
    ids = [f"key-{number:08}" for number in range(callers)]
    registry, names = KeyRegistry(redis.Redis(port=server.port), PREFIX), KeyNames.of(PREFIX)
    for first in range(0, callers, BATCH):
        made = {name: _key(name) for name in ids[first : first + BATCH]}
        registry.change(made, lambda _, made=made: made)  # type: ignore[misc]  # a lambda's type is not inferred
    stored = _bytes_of(server, names.proofs) + _bytes_of(server, names.ids)
    return KeyFigures(sum(buckets) / len(buckets), grown, stored / callers, decision_us)


def _cpu_s(server: RedisProcess) -> float:
    found: dict[str, Any] = server.ask("INFO", "cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])


async def measured(server: RedisProcess, count: int, span_s: float) -> FleetFigures:
    """All figures of one size."""
    behind = await background(server, count, span_s)
    connections, bytes_each, took_s = await informed(server, count)
    outage = {limit: admitted(count, limit, behind[2]) for limit in LIMITS}
    return FleetFigures(count, *behind, connections, bytes_each, took_s, outage)


def table(sizes: Sequence[FleetFigures]) -> str:
    """The figures of all sizes, as a table in Markdown."""
    rows = [
        ["gateways", *(f"{each.gateways:,}" for each in sizes)],
        ["---", *("---:" for _ in sizes)],
        ["connections to Redis", *(f"{each.connections:,}" for each in sizes)],
        ["its memory for them", *(_bytes(each.connections * each.connection_bytes) for each in sizes)],
        ["commands a second without any calls", *(f"{each.commands_hz:,.0f}" for each in sizes)],
        ["of one core of Redis", *(f"{each.redis_cpu:.2%}" for each in sizes)],
        ["gateways that each one knows", *(f"{each.known:,}" for each in sizes)],
        ["list of the fleet", *(_bytes(each.list_bytes) for each in sizes)],
        ["a changed key is known everywhere after", *(f"{each.informed_s * 1e3:,.0f} ms" for each in sizes)],
    ]
    for limit in LIMITS:
        shares = [each.outage[limit] for each in sizes]
        rows.append(
            [
                f"Redis away: of {limit:,} a minute, at all gateways in turn",
                *(f"{each.everywhere:.1%}" for each in shares),
            ]
        )
        rows.append([f"Redis away: of {limit:,} a minute, at one gateway", *(f"{each.at_one:.1%}" for each in shares)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _bytes(number: float) -> str:
    return f"{number / 1e6:,.1f} MB" if number >= 1e6 else f"{number / 1e3:,.1f} KB"


async def run(server: RedisProcess, sizes: Sequence[int], span_s: float, callers: int) -> str:
    """Everything, as text."""
    keys = await of_keys(server, callers)
    found = [await measured(server, count, span_s) for count in sizes]
    return (
        f"{table(found)}\n\n"
        f"a caller with one limit takes {keys.bucket_bytes:.0f} bytes, {keys.grown_bytes:.0f} with the index of Redis; "
        f"a key in Redis {keys.stored_key_bytes:.0f}\n"
        f"a decision takes {keys.decision_us:.1f} µs of CPU there: {0.5e6 / keys.decision_us:,.0f} a second in half a core"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.fleet", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--span", type=float, default=10.0, help="simulated seconds")
    parser.add_argument("--callers", type=int, default=20_000)
    add_option(parser)
    options = parser.parse_args()
    choose_here("tests.bench.fleet", sources=options.sources)
    with TemporaryDirectory() as folder, started(RedisProcess(Path(folder))) as server:
        print(asyncio.run(run(server, options.sizes, options.span, options.callers)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
