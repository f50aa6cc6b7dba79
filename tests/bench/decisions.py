"""python -m tests.bench.decisions: CPU of one decision, here and in Redis, for 64 callers with a window each."""

import argparse
import asyncio
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import uvloop

from gateway.kernel.limits.token_bucket import Claim, claim
from gateway.limiter.redis_limiter import RedisLimiter
from tests.bench.compiled import add_option, choose_here
from tests.limiter_load import CLOCK, MANY
from tests.redis_server import RedisProcess, started

CALLERS = 64
BUDGET_US = 8.0
"""Most that a decision may cost, here and there."""


async def ask(limiter: RedisLimiter, caller: Claim, times: int) -> None:
    for _ in range(times):
        decision = await limiter.decide(caller)
        assert decision.store == "redis", decision


async def measure(redis: RedisProcess, repetitions: int, times: int) -> tuple[float, float, float]:
    """CPU here and time in the script, in µs, and commands that Redis got, for one decision.

    Redis measures by the clock on the wall, so of the script it is the quietest round that counts.
    """
    limiter = RedisLimiter(redis.url, "gw", 5.0, "deny", CLOCK)
    await limiter.start()
    callers = [claim(f"caller{number}", MANY) for number in range(CALLERS)]
    found = []
    for _ in range(repetitions):
        redis.ask("CONFIG", "RESETSTAT")
        before = time.process_time()
        await asyncio.gather(*[ask(limiter, caller, times) for caller in callers])
        cost_s = time.process_time() - before
        script = redis.ask("INFO", "commandstats")["cmdstat_evalsha"]
        decisions = CALLERS * times
        found.append((cost_s / decisions * 1e6, script["usec"] / decisions, script["calls"] / decisions))
    await limiter.close()
    here, there, commands = zip(*found, strict=True)
    return median(here), min(there), max(commands)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.decisions", description=__doc__.partition(":")[2] if __doc__ else None
    )
    parser.add_argument("--rounds", dest="repetitions", type=int, default=25)
    parser.add_argument("--times", type=int, default=200, help="that each caller asks, in a round")
    add_option(parser)
    options = parser.parse_args()
    choose_here("tests.bench.decisions", sources=options.sources)
    with (
        TemporaryDirectory() as folder,
        started(RedisProcess(Path(folder))) as redis,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        here, there, commands = runner.run(measure(redis, options.repetitions, options.times))
    print(
        f"{here:.1f} µs of CPU here and {there:.1f} µs in Redis for one decision, budget {BUDGET_US:g} each; {commands:.3f} commands"
    )
    return int(max(here, there) > BUDGET_US)


if __name__ == "__main__":
    raise SystemExit(main())
