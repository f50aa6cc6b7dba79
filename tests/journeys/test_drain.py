"""SIGTERM: readiness fails, requests in flight finish, the process ends with 0. And what it says when it begins."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.fakes import RawBackend, reply, script, until
from tests.gateway_process import GatewayProcess, configuration, running
from tests.journeys.backends import asking, enveloped
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
                await idle.send(asking("GET", "/v1/a"))
                assert (await idle.reply()).status == 200
                await busy.send(asking("GET", "/v1/a"))
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
            await gateway.line(lambda line: '"draining"' in line)
            status, text = gateway.admin("/readyz")
            assert (status, "draining" in text) == (503, True)
            assert gateway.admin("/healthz")[0] == 200
            async with await RawClient.connect(gateway.port) as late:
                await late.send(asking("GET", "/v1/a"))
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
                await stuck.send(asking("POST", "/v1/a", body=b"{}"))
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


async def test_the_first_line_names_what_is_served(tmp_path: Path) -> None:
    with running(configuration(1), tmp_path) as gateway:
        first = gateway.started
        assert (first["event"], first["config"]) == ("started", str(tmp_path / "gateway.yaml"))
        assert first["listeners"] == [f"127.0.0.1:{gateway.port}"]
        assert first["admin"] == f"127.0.0.1:{gateway.admin_port}"
        assert (first["routes"], first["keys"]) == (1, 1)
        assert "LocalLimiter" in first["limiter"]
        assert gateway.terminate() == 0
