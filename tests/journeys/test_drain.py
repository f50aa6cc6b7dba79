"""SIGTERM: readiness fails, requests in flight finish, the process ends with 0. And what it says when it begins."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from gateway.system.compiled import LIBRARY
from tests.fakes import RawBackend, reply, script, until
from tests.gateway_process import GatewayProcess, configuration, running
from tests.journeys.backends import enveloped, requesting
from tests.raw_client import RawClient


def draining(delay: str, timeout: str = "5s") -> str:
    return f'{{drain_delay: {delay}, drain_timeout: {timeout}, listeners: [{{id: public, address: "127.0.0.1:0"}}]}}'


async def ended(gateway: GatewayProcess) -> int:
    return await asyncio.to_thread(gateway.wait)


async def test_requests_in_flight_finish_and_idle_connections_close(tmp_path: Path) -> None:
    release = asyncio.Event()
    async with RawBackend(script(reply(b"1")), script(release, reply(b'{"finished":1}'))) as backend:
        with running(configuration(backend.port), tmp_path) as gateway:
            assert gateway.admin("/readyz")[0] == 200
            async with await RawClient.connect(gateway.port) as idle, await RawClient.connect(gateway.port) as busy:
                await idle.send(requesting("GET", "/v1/a"))
                assert (await idle.reply()).status == 200
                await busy.send(requesting("GET", "/v1/a"))
                await until(lambda: len(backend.requests) == 2)
                gateway.signal(signal.SIGTERM)
                assert await idle.at_eof()
                release.set()
                answer = await busy.reply()
                assert enveloped(answer)["data"]["result"] == {"finished": 1}
                assert answer.field("Connection") == "close"
                assert await busy.at_eof()
            assert await ended(gateway) == 0
            await gateway.line(lambda line: '"connections_cut":0' in line)


async def test_readiness_fails_at_once_while_requests_are_still_taken(tmp_path: Path) -> None:
    async with RawBackend() as backend:
        with running(configuration(backend.port, server=draining("10s")), tmp_path) as gateway:
            gateway.signal(signal.SIGTERM)
            draining_line = await gateway.line(lambda line: '"draining"' in line)
            assert '"hint":"a second Ctrl-C or SIGTERM ends it at once"' in draining_line
            status, text = gateway.admin("/readyz")
            assert (status, "draining" in text) == (503, True)
            assert gateway.admin("/healthz")[0] == 200
            async with await RawClient.connect(gateway.port) as late:
                await late.send(requesting("GET", "/v1/a"))
                answer = await late.reply()
                assert (answer.status, answer.field("Connection")) == (200, "close")
            gateway.signal(signal.SIGTERM)
            assert await ended(gateway) == 0


@pytest.mark.parametrize("why", ["a second signal", "the end of its time"])
async def test_what_a_drain_does_not_wait_for_is_answered(tmp_path: Path, why: str) -> None:
    timeout = "60s" if why == "a second signal" else "100ms"
    async with RawBackend(default=script(asyncio.Event())) as backend:
        with running(configuration(backend.port, server=draining("0s", timeout)), tmp_path) as gateway:
            async with await RawClient.connect(gateway.port) as stuck:
                await stuck.send(requesting("POST", "/v1/a", body=b"{}"))
                await until(lambda: len(backend.requests) == 1)
                gateway.signal(signal.SIGTERM)
                await gateway.line(lambda line: '"draining"' in line)
                if why == "a second signal":
                    gateway.signal(signal.SIGINT)
                answer = await stuck.reply()
                assert (answer.status, enveloped(answer)["data"]["code"]) == (503, 1004)
                assert answer.field("Connection") == "close"
                assert answer.field("Retry-After")
                assert await stuck.at_eof()
                await backend.closed(0)
            assert await ended(gateway) == 0
            assert (await gateway.record("gateway.reason", "shutting_down"))["http.response.status_code"] == 503


def _has_loaded(gateway: GatewayProcess, library: str) -> bool:
    return library in Path(f"/proc/{gateway.pid}/maps").read_text()


async def test_the_first_line_names_what_is_served(tmp_path: Path) -> None:
    with running(configuration(1), tmp_path) as gateway:
        first = gateway.started
        assert (first["event"], first["config"]) == ("started", str(tmp_path / "gateway.yaml"))
        assert first["listeners"] == [f"127.0.0.1:{gateway.port}"]
        assert first["admin"] == f"127.0.0.1:{gateway.admin_port}"
        assert (first["routes"], first["keys"]) == (1, 1)
        assert first["limiter"] == "memory"
        assert first["compiled"] is _has_loaded(gateway, LIBRARY)
        assert gateway.terminate() == 0


@asynccontextmanager
async def drained_while_one_is_busy(
    folder: Path, listener: str, **sections: str
) -> AsyncIterator[tuple[GatewayProcess, str]]:
    """A gateway on one `listener` past its drain_delay, with a request in flight; and its address."""
    server = f"{{drain_delay: 300ms, drain_timeout: 60s, workers: 1, listeners: [{listener}, {{id: other, address: '127.0.0.1:0'}}]}}"
    release = asyncio.Event()
    async with RawBackend(script(release, reply(b'{"finished":1}'))) as backend:
        with running(configuration(backend.port, server=server, **sections), folder) as gateway:
            other = int(gateway.started["listeners"][1].rpartition(":")[2])
            async with await RawClient.connect(other) as busy:
                await busy.send(requesting("GET", "/v1/a"))
                await until(lambda: len(backend.requests) == 1)
                gateway.signal(signal.SIGTERM)
                yield gateway, gateway.started["listeners"][0]
                release.set()
                assert (await busy.reply()).status == 200
            assert await ended(gateway) == 0
            await gateway.line(lambda line: '"connections_cut":0' in line)


async def arrives(address: str) -> str:
    """Return "refused", "accepted" if the connection is answered or ends with a FIN, or "reset". Hangs if it does."""
    try:
        if address.startswith("unix:"):
            reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
        else:
            reader, writer = await asyncio.open_connection(*address.rsplit(":", 1))
    except (ConnectionRefusedError, FileNotFoundError):
        return "refused"
    except ConnectionResetError:
        return "reset"
    try:
        writer.write(requesting("GET", "/v1/a").replace(b"/v1/a", b"/nothing"))
        await reader.read(1)
    except ConnectionResetError:
        return "reset"
    finally:
        writer.close()
    return "accepted"


@pytest.mark.parametrize("kind", ["tcp", "unix", "proxy protocol"])
async def test_who_comes_when_nobody_accepts_any_more_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = f"{tempfile.gettempdir()}/gateway-drain-{os.getpid()}.sock"
    address = f"unix:{path}" if kind == "unix" else "127.0.0.1:0"
    more = ", proxy_protocol: true, trusted_proxies: [127.0.0.1]" if kind == "proxy protocol" else ""
    async with drained_while_one_is_busy(tmp_path, f'{{id: public, address: "{address}"{more}}}') as (gateway, where):
        async with asyncio.timeout(10):
            if kind != "proxy protocol":  # which asks for a header first
                assert await arrives(where) == "accepted"  # in the delay
                while await arrives(where) != "refused":
                    pass  # accepted, or reset: it waited in the queue when that was closed
            else:
                while True:
                    try:
                        _, writer = await asyncio.open_connection(*where.rsplit(":", 1))
                    except ConnectionRefusedError:
                        break
                    except ConnectionResetError:  # it waited in the queue when that was closed
                        continue
                    writer.close()
        assert [await asyncio.wait_for(arrives(where), 1) for _ in range(5)] == ["refused"] * 5
        assert gateway.admin("/healthz")[0] == 200


async def test_idle_connections_have_a_second_from_the_end_of_the_delay_on(tmp_path: Path) -> None:
    async with RawBackend(script(reply(b"1")), script(asyncio.Event())) as backend:
        with running(configuration(backend.port, server=draining("500ms")), tmp_path) as gateway:
            async with await RawClient.connect(gateway.port) as idle, await RawClient.connect(gateway.port) as busy:
                await idle.send(requesting("GET", "/v1/a"))
                assert (await idle.reply()).status == 200
                await busy.send(requesting("GET", "/v1/a"))
                await until(lambda: len(backend.requests) == 2)
                long_ago = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_later(1.2, long_ago.set_result, None)
                await long_ago
                since = time.monotonic()
                gateway.signal(signal.SIGTERM)
                assert await idle.at_eof()
                assert 1.4 < time.monotonic() - since < 4


ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[2]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "public"}
os.execv(sys.executable, [sys.executable, "-m", "gateway", "run", "-c", sys.argv[1]])
"""


@contextmanager
def activated(file: Path, listening: socket.socket) -> Iterator["subprocess.Popen[bytes]"]:
    """As systemd starts it, which has bound the socket."""
    fd = listening.fileno()
    command = [sys.executable, "-c", ACTIVATED, str(file), str(fd)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=[fd], start_new_session=True) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_sockets_that_are_systemd_s_wait_for_the_next_start(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(configuration(9, server=draining("0s")))
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as listening,
    ):
        listening.bind(f"{folder}/sock" if kind == "unix" else ("127.0.0.1", 0))
        listening.listen(8)
        with activated(file, listening) as process:
            gateway = await asyncio.to_thread(GatewayProcess, process)
            assert await arrives(gateway.started["listeners"][0]) == "accepted"
            assert await asyncio.to_thread(gateway.terminate) == 0
        with socket.socket(listening.family) as client:
            client.connect(listening.getsockname())
            listening.accept()[0].close()
