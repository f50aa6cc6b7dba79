"""python -m tests.bench.scaling: what two workers serve, in times of what one does.

Load, backend and Redis take their share of the same two cores, so it is not requests in a second that are compared, but
requests in a second of a core that the busiest worker has had: what it would serve if nobody else wanted the core.
"""

import argparse
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench.compiled import add_option
from tests.bench.peers import asked, by_workers
from tests.bench.processes import ANY_CORE, Program, cpu_s

CONNECTIONS = 256
ONE, TWO = 1, 2
BUDGET = 1.7
"""Least that two workers serve, in times of what one does."""


def served(gateway: Program, seconds: int) -> float:
    """Requests in a second of the busiest worker's CPU."""
    workers = gateway.children()
    before = [cpu_s(pid) for pid in workers]
    requests = asked(gateway.port, seconds, CONNECTIONS, ANY_CORE)
    return requests / max(cpu_s(pid) - was for pid, was in zip(workers, before, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.scaling", description=__doc__.partition(":")[2] if __doc__ else None
    )
    parser.add_argument("--rounds", dest="repetitions", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of load, for each of the two and each round")
    add_option(parser)
    options = parser.parse_args()
    with (
        TemporaryDirectory() as folder,
        by_workers(Path(folder), (ONE, TWO), sources=options.sources) as (gateways, form),
    ):
        for gateway in gateways.values():
            served(gateway, 1)
        repetitions = [
            {count: served(gateway, options.seconds) for count, gateway in gateways.items()}
            for _ in range(options.repetitions)
        ]
    one, two = (median(found[count] for found in repetitions) for count in (ONE, TWO))
    times = median(found[TWO] / found[ONE] for found in repetitions)
    print(
        f"{form}: one worker {one:.0f}, two workers {two:.0f} requests a second of a core each: {times:.2f} times, at least {BUDGET}"
    )
    return int(times < BUDGET)


if __name__ == "__main__":
    raise SystemExit(main())
