"""python -m tests.bench.endurance: reloads, killed workers and releases under load, as clients and a scraper see them.

64 clients, half of which keep their connection, ask two workers that count in a Redis. Nothing may fail but what was in
flight in a killed worker: at most one request on each connection that it had accepted, as the kernel tells. Connections
that wait in the queue of its socket are not among them. No reply may be of two configurations, and no counter may go
back.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

import uvloop

from tests.bench.compiled import add_option, check_runs, choose
from tests.bench.processes import children
from tests.config_editions import mixed
from tests.disruptions import Findings, site
from tests.load import Load

CLIENTS = 64


async def endure(folder: Path, times: dict[str, int], seconds: float, compiled: Path | None) -> list[Findings]:
    """One kind after the other, under one load. All workers of the last release run what those of the first do."""
    async with site(folder) as at, Load(at.gateway.port, CLIENTS, judge=mixed) as load:
        check_runs(children(at.gateway.pid), compiled)
        found = [
            await at.go_through(disruption, load, count, seconds / max(count, 1)) for disruption, count in times.items()
        ]
        check_runs(children(at.pids[-1]), compiled)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.endurance", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--reloads", type=int, default=60)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--releases", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60, help="that each kind of disruption takes, at least")
    add_option(parser)
    options = parser.parse_args()
    compiled = choose(sources=options.sources)
    times = {disruption: getattr(options, disruption) for disruption in ("reloads", "kills", "releases")}
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(endure(Path(folder), times, options.seconds, compiled))
    print(f"{'':10} {'times':>6} {'seconds':>8} {'replies':>8} {'excused':>8} {'scrapes':>8} {'wrong':>6}")
    for each in found:
        print(
            f"{each.disruption:10} {each.times:6} {each.seconds:8.1f} {each.replies:8} {each.excused:8} {each.scrapes:8} {len(each.wrong):6}"
        )
    wrong = [text for each in found for text in each.wrong]
    print(*wrong[:20], sep="\n", end="\n" if wrong else "")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
