"""python -m tests.bench.outage: how long decisions take when Redis hangs, for 64 callers, each with one every 10 ms."""

import argparse
import asyncio
import time
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import uvloop

from gateway.kernel.limits.token_bucket import claim
from gateway.limiter.redis_limiter import RedisLimiter
from tests.bench.compiled import add_option, choose_here
from tests.limiter_load import CLOCK, MANY, PACE_S
from tests.redis_server import RedisProcess, started

CALLERS = 64
BUDGET_S = 0.05
PHASE_S = 1.0


class Traffic:
    """`took` is the seconds of each decision since it was last emptied, with the name of who decided."""

    def __init__(self, limiter: RedisLimiter) -> None:
        self.took: list[tuple[str, float]] = []
        self._limiter = limiter
        self._over = asyncio.Event()

    async def call(self, number: int) -> None:
        while not self._over.is_set():
            begun = time.perf_counter()
            decision = await self._limiter.decide(claim(f"caller{number}", MANY))
            self.took.append((decision.store, time.perf_counter() - begun))
            await self._pause(PACE_S)

    async def phase(self, seconds: float) -> tuple[set[str], float]:
        """Who decided meanwhile, and the 99th percentile in ms."""
        self.took.clear()
        await self._pause(seconds)
        stores = {store for store, _ in self.took}
        return stores, quantiles([took for _, took in self.took], n=100)[98] * 1e3

    def end(self) -> None:
        self._over.set()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)


async def measure(redis: RedisProcess, repetitions: int) -> tuple[list[float], list[float], list[float]]:
    """Of each round: while Redis answers, when it begins to hang, and while it is known to."""
    limiter = RedisLimiter(redis.url, "gw", BUDGET_S, "local", CLOCK)
    await limiter.start()
    callers = Traffic(limiter)
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    async with asyncio.TaskGroup() as tasks:
        for number in range(CALLERS):
            tasks.create_task(callers.call(number))
        for _ in range(repetitions):
            while (await callers.phase(PHASE_S / 4))[0] != {"redis"}:
                pass
            found[0].append((await callers.phase(PHASE_S))[1])
            redis.hang()
            found[1].append((await callers.phase(4 * BUDGET_S))[1])
            stores, p99 = await callers.phase(PHASE_S)
            assert stores == {"fallback"}, stores
            found[2].append(p99)
            redis.go_on()
        callers.end()
    await limiter.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.outage", description=__doc__.partition(":")[2] if __doc__ else None
    )
    parser.add_argument("--rounds", dest="repetitions", type=int, default=9)
    add_option(parser)
    options = parser.parse_args()
    choose_here("tests.bench.outage", sources=options.sources)
    with (
        TemporaryDirectory() as folder,
        started(RedisProcess(Path(folder))) as redis,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        before, hung, known = (median(column) for column in runner.run(measure(redis, options.repetitions)))
    print(
        f"p99 of a decision: {before:.1f} ms; when Redis hangs {hung:.1f} ms (budget {BUDGET_S * 1e3:g} ms); once that is known {known:.2f} ms"
    )
    return int(hung - before > BUDGET_S * 1e3 + 5 or known - before > 1)


if __name__ == "__main__":
    raise SystemExit(main())
