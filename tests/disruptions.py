"""Disruptions of a gateway under load: reloads, killed workers, hot restarts.

    async with site(folder) as at, Load(at.gateway.port, judge=mixed) as load:
        findings = await at.go_through("kills", load, 10)
    assert findings.wrong == []

Each reload and each release switches to the other edition of the configuration.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.config_editions import services, written
from tests.fakes import until
from tests.gateway_process import GatewayProcess, running
from tests.load import Load
from tests.redis_server import RedisProcess, started

TOKEN = "sesame-open-the-door"
WITHIN_S = 30.0
_COUNTERS = ("_total", "_bucket", "_count", "_sum")


@dataclass
class Findings:
    """The outcome of one kind of disruption.

    `held` is the number of connections that killed workers had accepted, `excused` the number of failed requests on
    those connections.
    """

    disruption: str
    times: int = 0
    seconds: float = 0.0
    replies: int = 0
    held: int = 0
    excused: int = 0
    scrapes: int = 0
    wrong: list[str] = field(default_factory=list)


class Scraper:
    """Reads /metrics repeatedly; `wrong` lists failed scrapes and counters that went backwards."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.scrapes = 0
        self.wrong: list[str] = []
        self._gateway = gateway
        self._last: dict[str, float] = {}

    async def scrape(self) -> None:
        try:
            status, text = await asyncio.to_thread(self._gateway.admin, "/metrics")
        except OSError as error:
            self.wrong.append(f"scrape failed: {error!r}")
            return
        self.scrapes += 1
        now = dict(_series(text))
        gone = [
            f"{name} {value} -> {now.get(name)}" for name, value in self._last.items() if now.get(name, -1.0) < value
        ]
        self.wrong += [f"went back: {each}" for each in gone] if status == 200 else [f"scrape: {status}"]
        self._last |= now

    async def run(self, pause_s: float = 0.1) -> None:
        never = asyncio.Event()
        while True:
            await self.scrape()
            with suppress(TimeoutError):
                await asyncio.wait_for(never.wait(), pause_s)


class Site:
    """A gateway with two workers, its Redis, and the services of its editions."""

    def __init__(self, gateway: GatewayProcess, file: Path, texts: dict[str, str]) -> None:
        self.gateway = gateway
        self.pids = [gateway.pid]
        """The ids of its supervisors; the current one is last."""
        self._file = file
        self._texts = texts
        self._edition = "a"

    async def go_through(self, disruption: str, load: Load, times: int, every_s: float = 0.0) -> Findings:
        """Perform `times` reloads, kills or releases, one each `every_s` seconds, or when the previous has ended."""
        found = Findings(disruption, times)
        begun, replies, failures = time.monotonic(), load.total, len(load.failures)
        scraper = Scraper(self.gateway)
        scraping = asyncio.create_task(scraper.run())
        try:
            for number in range(times):
                excused = await getattr(self, f"_{disruption}")(number)
                found.held += len(excused)
                await load.more(100)
                await self._pause(begun + (number + 1) * every_s)
                wrong = [failure for failure in load.failures[failures:] if failure.port not in excused]
                found.wrong += map(str, wrong)
                found.excused += len(load.failures) - failures - len(wrong)
                failures = len(load.failures)
        finally:
            scraping.cancel()
            await asyncio.wait([scraping])
        await scraper.scrape()
        found.seconds, found.replies = time.monotonic() - begun, load.total - replies
        found.wrong += scraper.wrong
        found.scrapes = scraper.scrapes
        return found

    def workers(self, state: str = "serving") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.gateway.admin("/workers")[1])["workers"]
        return [worker for worker in found if worker["state"] == state]

    async def _reloads(self, number: int) -> set[int]:
        self._switch_edition()
        status_and_body = await asyncio.to_thread(
            self.gateway.admin, "/reload?wait", "POST", {"Authorization": f"Bearer {TOKEN}"}
        )
        assert status_and_body[0] == 200, status_and_body
        return set()

    async def _kills(self, number: int) -> set[int]:
        await until(lambda: len(self.workers()) == 2, WITHIN_S)
        pid = self.workers()[number % 2]["pid"]
        os.kill(pid, signal.SIGSTOP)  # so that what is found out now is so when it dies
        await until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        accepted = _clients(pid, self.gateway.port)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: len(self.workers()) == 2, WITHIN_S)
        return accepted

    async def _releases(self, number: int) -> set[int]:
        self._switch_edition()
        os.kill(self.pids[-1], signal.SIGUSR2)
        line = await self.gateway.line(
            lambda line: '"started"' in line and json.loads(line)["pid"] not in self.pids, WITHIN_S
        )
        self.pids.append(json.loads(line)["pid"])
        return set()

    def _switch_edition(self) -> None:
        self._edition = "b" if self._edition == "a" else "a"
        self._file.write_text(self._texts[self._edition])

    @staticmethod
    async def _pause(until_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), until_s - time.monotonic())


@asynccontextmanager
async def site(folder: Path, **more: str) -> AsyncIterator[Site]:
    """Starts everything; `more` are additional sections of the configuration."""
    listeners = '[{id: public, address: "127.0.0.1:0"}]'
    with started(RedisProcess(folder)) as redis:
        async with services() as ports:
            sections = {
                "server": f"{{workers: 2, drain_delay: 0s, drain_timeout: 5s, listeners: {listeners}}}",
                "admin": f'{{address: "127.0.0.1:0", token: {TOKEN}}}',
                "observability": "{log: {format: json, access: false}}",
                "redis": f'{{url: "{redis.url}", timeout: 2s}}',
            } | more
            texts = {edition: written(edition, ports, **sections) for edition in ports}
            with running(texts["a"], folder) as gateway:
                yield Site(gateway, folder / "gateway.yaml", texts)


def _series(text: str) -> list[tuple[str, float]]:
    """The series of counters, with their values."""
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("gateway_")]
    return [(name, float(value)) for name, _, value in lines if name.partition("{")[0].endswith(_COUNTERS)]


def _clients(pid: int, port: int) -> set[int]:
    """The client ports of the connections to `port` that process `pid` has accepted."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            sockets.add(link.readlink().name.removeprefix("socket:[").removesuffix("]"))
    entries = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(entry[2].rpartition(":")[2], 16)
        for entry in entries
        if entry[9] in sockets and int(entry[1].rpartition(":")[2], 16) == port
    }
