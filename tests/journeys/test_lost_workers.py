"""Workers that are lost while none can be started: their connections go to others or are refused, and never hang."""

import asyncio
import json
import os
import resource
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes import reply, until
from tests.gateway_process import GatewayProcess, running
from tests.journeys.backends import Service, requesting
from tests.journeys.multi_worker import WORKERS_WITHIN_S, counted, workers, written
from tests.raw_client import RawClient
from tests.redis_server import RedisProcess

FORKS_FAIL = """
import errno, sys
from pathlib import Path
from gateway.settings import load
from gateway.supervisor import run

file = Path(sys.argv[1])

def hook(event, _):
    if event == "os.fork" and (file.parent / "no-forks").exists():
        raise OSError(getattr(errno, (file.parent / "no-forks").read_text()), "as the system says")

if __name__ == "__main__":
    sys.addaudithook(hook)
    sys.exit(run(load(file), source=str(file)))
"""
BACK_WITHIN_S = 2.0
AT_ONCE_S = 2.0
"""On a busy machine. Who hangs does so for as long as there is no fork."""


@asynccontextmanager
async def without_forks(
    folder: Path, count: int, redis: RedisProcess | None = None, **options: str
) -> AsyncIterator[GatewayProcess]:
    async with Service() as service:
        service.on("/v1/x", reply())
        with running(written(service.port, count, redis, **options), folder, program=FORKS_FAIL) as gateway:
            yield gateway


async def answers(gateway: GatewayProcess) -> int:
    """The status that a new connection gets, in time."""
    async with asyncio.timeout(AT_ONCE_S), await RawClient.connect(gateway.port) as client:
        await client.send(requesting("GET", "/v1/x"))
        return (await client.reply()).status


def entries(gateway: GatewayProcess, folder: str) -> int:
    """How many descriptors, or threads, the supervisor has."""
    return len([*Path(f"/proc/{gateway.pid}/{folder}").iterdir()])


def pids(gateway: GatewayProcess) -> list[int]:
    return [worker["pid"] for worker in workers(gateway)]


@pytest.mark.parametrize("why", ["EAGAIN", "ENOMEM"])
async def test_others_accept_in_its_place_until_there_is_a_new_one(
    tmp_path: Path, redis_server: RedisProcess, why: str
) -> None:
    async with without_forks(tmp_path, 3, redis_server) as gateway:
        (tmp_path / "no-forks").write_text(why)
        lost = pids(gateway)[:2]
        for pid in lost:
            os.kill(pid, signal.SIGKILL)
        await gateway.line(lambda line: '"no worker can be started"' in line)
        assert [await answers(gateway) for _ in range(40)] == [200] * 40
        assert gateway.admin("/readyz")[0] == 200
        (tmp_path / "no-forks").unlink()
        since = time.monotonic()
        await until(lambda: len(pids(gateway)) == 3, WORKERS_WITHIN_S)
        assert time.monotonic() - since < BACK_WITHIN_S
        assert set(lost).isdisjoint(pids(gateway))
        last = pids(gateway)[-1]
        assert [await answers(gateway) for _ in range(40)] == [200] * 40
        # Nobody accepts in another's place any longer: all are still there when those who did are gone.
        (tmp_path / "no-forks").write_text(why)
        os.kill(last, signal.SIGKILL)
        await until(lambda: len(pids(gateway)) == 2)
        assert [await answers(gateway) for _ in range(40)] == [200] * 40


@pytest.mark.parametrize("position", ["tcp", "unix"])
async def test_connections_are_refused_when_there_is_no_other_worker(tmp_path: Path, position: str) -> None:
    path = f"{tempfile.gettempdir()}/gateway-test-{os.getpid()}.sock"  # pytest's own folders have names too long for a socket
    address = "127.0.0.1:0" if position == "tcp" else f"unix:{path}"
    server = f'{{workers: 1, drain_delay: 0s, drain_timeout: 5s, listeners: [{{id: public, address: "{address}"}}]}}'

    async def status() -> int:
        async with asyncio.timeout(AT_ONCE_S):
            way = (
                asyncio.open_unix_connection(path)
                if position == "unix"
                else asyncio.open_connection("127.0.0.1", gateway.port)
            )
            async with RawClient(*await way) as client:
                await client.send(requesting("GET", "/v1/x"))
                return (await client.reply()).status

    async with without_forks(tmp_path, 1, server=server) as gateway:
        assert await status() == 200
        (tmp_path / "no-forks").write_text("EAGAIN")
        os.kill(pids(gateway)[0], signal.SIGKILL)
        await gateway.line(lambda line: '"no worker can be started"' in line)
        for _ in range(5):
            with pytest.raises((ConnectionError, FileNotFoundError)):
                await status()
        assert json.loads(gateway.admin("/readyz")[1])["reasons"] == ["no worker is ready"]
        (tmp_path / "no-forks").unlink()
        since = time.monotonic()
        await until(lambda: len(pids(gateway)) == 1, WORKERS_WITHIN_S)
        assert time.monotonic() - since < BACK_WITHIN_S
        assert [await status() for _ in range(3)] == [200] * 3
        assert await asyncio.to_thread(gateway.terminate) == 0
        assert Path(path) not in [*Path(path).parent.iterdir()]


async def test_without_descriptors_too(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with without_forks(tmp_path, 2, redis_server) as gateway:
        lost = pids(gateway)[0]
        before = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        os.kill(lost, signal.SIGKILL)
        await gateway.line(lambda line: '"no worker can be started"' in line)
        assert [await answers(gateway) for _ in range(20)] == [200] * 20
        with socket.create_connection(("127.0.0.1", gateway.admin_port)):
            await gateway.line(lambda line: '"a connection cannot be accepted"' in line)
            resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, before)
            since = time.monotonic()
            await until(lambda: len(pids(gateway)) == 2, WORKERS_WITHIN_S)
            assert time.monotonic() - since < BACK_WITHIN_S
        assert len([line for line in gateway.lines if "cannot be accepted" in line]) == 1
        assert counted(gateway, "gateway_worker_restarts_total") == 1


async def test_who_floods_the_admin_listener_takes_no_descriptor_that_others_need(tmp_path: Path) -> None:
    async with without_forks(tmp_path, 1) as gateway:
        flood = [socket.create_connection(("127.0.0.1", gateway.admin_port)) for _ in range(300)]
        try:
            for sock in flood:
                sock.settimeout(0)
                sock.send(b"GET /metrics HTTP/1.1\r\nHost: a")
            (lost,) = pids(gateway)
            os.kill(lost, signal.SIGKILL)
            await until(lambda: pids(gateway) not in ([lost], []), WORKERS_WITHIN_S)
            assert gateway.admin("/readyz")[0] == 200
            assert await answers(gateway) == 200
            assert entries(gateway, "fd") < 200
        finally:
            for sock in flood:
                sock.close()


async def test_while_a_reload_hangs_on_a_file_dead_workers_are_replaced_and_it_still_stops(tmp_path: Path) -> None:
    async with Service() as service:
        service.on("/v1/x", reply())
        with running(written(service.port), tmp_path) as gateway:
            (lost,) = pids(gateway)
            file = tmp_path / "gateway.yaml"
            file.unlink()
            os.mkfifo(file)
            gateway.signal(signal.SIGHUP)
            await until(lambda: entries(gateway, "task") == 2)
            os.kill(lost, signal.SIGKILL)
            await until(lambda: pids(gateway) not in ([lost], []), BACK_WITHIN_S * 2)
            assert await answers(gateway) == 200
            assert gateway.admin("/readyz")[0] == 200
            assert await asyncio.to_thread(gateway.terminate) == 0
