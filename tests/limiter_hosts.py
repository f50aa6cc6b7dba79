"""Three gateways' limiters, each in a process of its own on a host whose clock is wrong, asked at random times.

As a program this module tells of each host who decides there, whenever that changes. It goes on until its input ends,
and then tells what was admitted: when (by a clock that is the same for all), of which buckets, how much, and who
decided.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Claim, Window
from gateway.limiter.redis_limiter import SCRIPT, RedisLimiter

SKEWS_S = (-10.0, 0.0, 10.0)
BUDGET_S = 5.0
CALLS_PER_S = 200.0
"""Of each of four callers on a host."""
CALLS = 25
"""Who has decided as many in a row is said to decide."""
WINDOWS = {
    "{x}:slow": Window("slow", 60, 3_600_000_000, None),
    "{x}:quick": Window("quick", 30, 3_000_000, None),
    "{x}:anywhere": Window("anywhere", 40, 2_000_000, None, guarantee="any-window"),
}
CLAIMS = [
    Claim(keys, tuple(WINDOWS[key] for key in keys), cost)
    for keys, cost in (
        (("{x}:slow",), 1),
        (("{x}:quick",), 2),
        (("{x}:quick", "{x}:anywhere"), 1),
        (("{x}:slow", "{x}:anywhere"), 3),
    )
]
LOGGED = SCRIPT.replace(
    b"return reply", b"call('RPUSH', '{x}:history', cmsgpack.pack({KEYS, ARGV, reply}))\nreturn reply"
)
"""Redis keeps what it decided, in the order in which it did."""

Admitted: TypeAlias = tuple[float, list[str], int, str]


class Run:
    """One that goes on. `last` says of each host who decides there."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.last: dict[int, str] = {}

    def all_decided_by(self, store: str) -> None:
        """Returns when that has decided on each host, or does so still."""
        hosts = {number for number, last in self.last.items() if last == store}
        while len(hosts) < len(SKEWS_S):
            assert self._process.stdout is not None
            number, decides = self._process.stdout.readline().decode().split()
            self.last[int(number)] = decides
            if decides == store:
                hosts.add(int(number))

    def stop(self) -> list[Admitted]:
        """What was admitted."""
        output, _ = self._process.communicate(timeout=20)
        return [(at_s, keys, cost, store) for at_s, keys, cost, store in json.loads(output.splitlines()[-1])]


@contextmanager
def hosts(url: str) -> Iterator[Run]:
    """Running, and all of them know how many they are."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.limiter_hosts", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            run = Run(process)
            run.all_decided_by("redis")
            yield run
        finally:
            process.kill()


class Host:
    """One of them."""

    def __init__(self, number: int, url: str, end: int) -> None:
        self._number = number
        self._chance = random.Random(number)
        skew_s = SKEWS_S[number]
        clock = Clock(lambda: time.monotonic() + skew_s, lambda: time.time() + skew_s)
        self._limiter = RedisLimiter(url, "gw", BUDGET_S, "local", clock, script=LOGGED)
        self._end = end
        self._over = asyncio.Event()
        self._admitted: list[Admitted] = []
        self._streak = ("", 0)

    async def run(self) -> list[Admitted]:
        """Until the input ends. Returns what was admitted."""
        await self._limiter.start()
        asyncio.get_running_loop().add_reader(self._end, self._over.set)
        while self._limiter.outage.fallback.gateways < len(SKEWS_S) and not self._over.is_set():
            self._limiter._wake.set()
            await self._pause(0.05)
        await asyncio.gather(*[self._call() for _ in range(4)])
        await self._limiter.close()
        return self._admitted

    async def _call(self) -> None:
        while not self._over.is_set():
            claim = self._chance.choice(CLAIMS)
            decision = await self._limiter.decide(claim)
            if decision.allowed:
                self._admitted.append((time.monotonic(), list(claim.keys), claim.cost, decision.store))
            if decision.store != "cache":
                self._report(decision.store)
            await self._pause(self._chance.expovariate(CALLS_PER_S))

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    def _report(self, store: str) -> None:
        before, count = self._streak
        self._streak = (store, count + 1 if store == before else 1)
        if self._streak[1] == CALLS:
            os.write(sys.stdout.fileno(), f"{self._number} {store}\n".encode())


def main(url: str) -> None:
    ends = []
    for number in range(len(SKEWS_S)):
        theirs, ours = os.pipe()
        if not os.fork():
            os.write(ours, json.dumps(asyncio.run(Host(number, url, sys.stdin.fileno()).run())).encode())
            os._exit(0)
        os.close(ours)
        ends.append(theirs)
    outputs = [json.loads(os.fdopen(end).read()) for end in ends]
    print(json.dumps([admitted for one in outputs for admitted in one]))


if __name__ == "__main__":
    main(sys.argv[1])
