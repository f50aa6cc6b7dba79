"""python -m tests.bench.console: what the history and the operator's page cost, with 100 routes and 10,000 keys.

It is the supervisor that keeps the history and answers the page. One client calls all routes with all keys in turn; the
page is stood in for by its requests, as often as the page makes them.
"""

import argparse
import asyncio
import http.client
import re
import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.compiled import add_option, check_runs, choose
from tests.bench.processes import children, cpu_s
from tests.fakes import RawBackend, reply, script
from tests.gateway_process import GatewayProcess, configuration, digest, running

ROUTES, KEYS, ORGANIZATIONS = 100, 10_000, 50
PERIOD_S = 3.0
"""The time between two readings of the page; every other one reads what changes seldom, too."""
OFTEN = ("/history?span=10m&rows=25", "/errors?limit=15", "/targets", "/readyz")
SELDOM = ("/reloads", "/limiter", "/workers", "/maintenance", "/fleet", "/audit?limit=10")
BUDGET_PERCENT = 1.0
WARM_UP_S = 3.0


def secret(number: int) -> str:
    return f"gw_bench_{number:032d}"


def sections() -> dict[str, str]:
    keys = [
        f"{{id: key-{number}, secret_sha256: {digest(secret(number))}, organizations: [org-{number % ORGANIZATIONS}], plan: p}}"
        for number in range(KEYS)
    ]
    routes = [f"{{id: route-{number}, match: {{prefix: /v1/{number}}}, upstream: backend}}" for number in range(ROUTES)]
    organizations = [f"{{id: org-{number}}}" for number in range(ORGANIZATIONS)]
    return {
        "organizations": f"[{', '.join(organizations)}]",
        "plans": "[{id: p, limits: [{id: minute, max: 300, per: 1m}]}]",
        "keys": f"[{', '.join(keys)}]",
        "routes": f"[{', '.join(routes)}]",
        "observability": "{log: {format: json, access: false}}",
    }


def call(gateway: GatewayProcess, ended: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
    number = 0
    while not ended.is_set():
        number += 1
        headers = {"X-Api-Key": secret(number * 7 % KEYS)}
        connection.request("GET", f"/v1/{number % ROUTES}/x", headers=headers)
        connection.getresponse().read()


def read(gateway: GatewayProcess, ended: threading.Event) -> None:
    readings = 0
    while not ended.wait(PERIOD_S):
        readings += 1
        for path in OFTEN if readings % 2 else OFTEN + SELDOM:
            gateway.admin(path)


def share(gateway: GatewayProcess, seconds: float, *work: Callable[[GatewayProcess, threading.Event], None]) -> float:
    """The supervisor's part of a core, in percent, while `work` is done."""
    ended = threading.Event()
    threads = [threading.Thread(target=each, args=(gateway, ended)) for each in work]
    for thread in threads:
        thread.start()
    ended.wait(WARM_UP_S)
    before = cpu_s(gateway.pid)
    ended.wait(seconds)
    used_s = cpu_s(gateway.pid) - before
    ended.set()
    for thread in threads:
        thread.join()
    return 100 * used_s / seconds


def script_asks_for(path: str) -> bool:
    """Whether the page reads this path, so that what is measured is what it does."""
    text = files("gateway.console").joinpath("static", "console.js").read_text()
    return re.search(rf"[\"`]{re.escape(path.strip('/').partition('?')[0])}[?\"`]", text) is not None


async def measured(seconds: float, compiled: Path | None) -> dict[str, float]:
    """The supervisor's part of a core with each work, once its workers are seen to run what they should."""
    with TemporaryDirectory() as folder:
        async with RawBackend(default=script(reply(b'{"a":1}'))) as backend:
            with running(configuration(backend.port, **sections()), Path(folder)) as gateway:
                check_runs(children(gateway.pid), compiled)
                return {
                    name: await asyncio.to_thread(share, gateway, seconds, *work)
                    for name, work in {"idle": (), "calls": (call,), "calls and a page": (call, read)}.items()
                }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.console", description=__doc__.partition(":")[2] if __doc__ else None
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="for each of the three")
    add_option(parser)
    options = parser.parse_args()
    found = asyncio.run(measured(options.seconds, choose(sources=options.sources)))
    for name, percent in found.items():
        print(f"{name}: the supervisor needs {percent:.2f} % of a core, less than {BUDGET_PERCENT:g} %")
    return int(max(found.values()) >= BUDGET_PERCENT)


if __name__ == "__main__":
    raise SystemExit(main())
