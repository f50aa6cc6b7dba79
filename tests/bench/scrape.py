"""python -m tests.bench.scrape: what a scrape of 10,000 series takes, and what it does to traffic.

Two workers, 300 routes, each asked once by every worker that gets it. Then /metrics is read on its own, and traffic is
measured with and without a scrape each second, in turns, so that a noisy minute falls on both.
"""

import argparse
import asyncio
import time
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import uvloop

from tests.bench.compiled import add_option, check_runs, choose
from tests.bench.processes import children, cpu_s
from tests.disruptions import site
from tests.gateway_process import KEY, GatewayProcess

ROUTES = 300
CLIENTS = 8
_ROUTES = ", ".join(f"{{id: route.{n}, match: {{prefix: /v1/{n}}}, upstream: backend}}" for n in range(ROUTES))


async def ask(port: int, paths: list[str], until_s: float) -> list[float]:
    """Seconds that each request took, on one connection."""
    took = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for path in paths:
        begun = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: {KEY}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        took.append(time.perf_counter() - begun)
        if time.monotonic() > until_s:
            break
    writer.close()
    return took


async def traffic(gateway: GatewayProcess, seconds: float, *, scraped: bool) -> list[float]:
    async def scrape() -> None:
        while scraped:
            await asyncio.to_thread(gateway.admin, "/metrics")
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 1.0)

    scraping = asyncio.create_task(scrape())
    end = time.monotonic() + seconds
    found = await asyncio.gather(*[ask(gateway.port, ["/v1/0"] * 1_000_000, end) for _ in range(CLIENTS)])
    scraping.cancel()
    return [took for each in found for took in each]


async def measure(folder: Path, repetitions: int, seconds: float, compiled: Path | None) -> None:
    async with site(folder, routes=f"[{_ROUTES}]") as at:
        check_runs(children(at.gateway.pid), compiled)
        for _ in range(CLIENTS):
            await ask(at.gateway.port, [f"/v1/{n}" for n in range(ROUTES)], time.monotonic() + 60)
        text = at.gateway.admin("/metrics")[1]
        series = sum(not line.startswith("#") for line in text.splitlines())
        walls, before = [], cpu_s(at.gateway.pid)
        for _ in range(50):
            begun = time.perf_counter()
            await asyncio.to_thread(at.gateway.admin, "/metrics")
            walls.append(time.perf_counter() - begun)
        cost_ms = (cpu_s(at.gateway.pid) - before) / 50 * 1e3
        print(
            f"{series} series, {len(text)} bytes: {median(walls) * 1e3:.1f} ms (least {min(walls) * 1e3:.1f}), {cost_ms:.1f} ms of CPU"
        )
        p99s: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(repetitions):
            for scraped in (False, True):
                p99s[scraped].append(quantiles(await traffic(at.gateway, seconds, scraped=scraped), n=100)[98] * 1e3)
        print(f"p99 of traffic: {median(p99s[False]):.2f} ms, scraped once a second {median(p99s[True]):.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.scrape", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--rounds", dest="repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of traffic, with and without scrapes, in each round")
    add_option(parser)
    options = parser.parse_args()
    compiled = choose(sources=options.sources)
    with TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(Path(folder), options.repetitions, options.seconds, compiled))


if __name__ == "__main__":
    main()
