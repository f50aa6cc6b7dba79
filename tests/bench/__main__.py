"""python -m tests.bench: CPU per request of the whole job, against a plain nginx proxy in the same run.

One core for what is measured, the other for load and backend. Rounds are interleaved and the median is taken, so that
a noisy minute falls on all alike; the ratio to nginx is what to look at.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median

from tests.bench.peers import asked, peers
from tests.bench.processes import LOAD_CORE, Program

BUDGETS = {"gateway, embedded limiter": 4.5, "gateway, Redis per request": 5.5}
"""Most that each may cost, in times the cost of the plain nginx proxy."""

CONNECTIONS = 64


def load(peer: Program, seconds: int) -> tuple[int, float]:
    """Requests answered with 2xx, and CPU seconds they cost the peer. Raises SystemExit when one failed."""
    before = peer.cpu_s()
    requests = asked(peer.port, seconds, CONNECTIONS, LOAD_CORE)
    return requests, peer.cpu_s() - before


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", dest="repetitions", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of load, per peer and round")
    parser.add_argument("--bytes", type=int, default=1000, help="size of the backend's reply")
    parser.add_argument("--no-redis", action="store_true")
    parser.add_argument("--json", action="store_true", help="print the figures for a machine")
    options = parser.parse_args()

    costs_us: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        peers(Path(folder), with_redis=not options.no_redis, size_bytes=options.bytes) as all_peers,
    ):
        for peer in all_peers.values():
            load(peer, 1)
        for _ in range(options.repetitions):
            for name, peer in all_peers.items():
                requests, cost_s = load(peer, options.seconds)
                costs_us.setdefault(name, []).append(cost_s / requests * 1e6)
    return report(costs_us, as_json=options.json)


def report(costs_us: dict[str, list[float]], *, as_json: bool) -> int:
    """Print the table; 1 when a budget is broken."""
    base = median(next(iter(costs_us.values())))
    rows = [(name, median(values), median(values) / base, BUDGETS.get(name)) for name, values in costs_us.items()]
    if as_json:
        print(json.dumps([{"peer": n, "us": round(us, 2), "ratio": round(r, 3), "budget": b} for n, us, r, b in rows]))
    else:
        print(f"{'':28} {'CPU µs/request':>15} {'times nginx':>12} {'budget':>7}")
        for name, us, ratio, budget in rows:
            print(f"{name:28} {us:15.1f} {ratio:12.2f} {budget or '':>7}")
    return int(any(budget is not None and ratio > budget for _, _, ratio, budget in rows))


if __name__ == "__main__":
    raise SystemExit(main())
