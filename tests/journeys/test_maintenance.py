"""`gateway maintenance`: all routes are closed without a reload, until somebody opens them again."""

import json
import os
import signal
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from tests.fakes import RawBackend, until
from tests.gateway_process import GatewayProcess, running
from tests.journeys.backends import ask, enveloped
from tests.journeys.multi_worker import TOKEN, WORKERS_WITHIN_S, workers, written


def switched(gateway: GatewayProcess, *arguments: str) -> str:
    runner = CliRunner(env={"GATEWAY_ADMIN": f"127.0.0.1:{gateway.admin_port}", "GATEWAY_ADMIN_TOKEN": TOKEN})
    done = runner.invoke(main, ["maintenance", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


async def test_it_outlives_workers_reloads_and_releases(tmp_path: Path) -> None:
    async with RawBackend() as service:
        with running(written(service.port), tmp_path) as gateway:
            assert "maintenance: on" in switched(gateway, "on", "--message", "Back at 9", "--retry-after", "5m")
            closed = await ask(gateway, "GET", "/v1/x")
            assert (closed.status, closed.field("Retry-After")) == (503, "300")
            assert enveloped(closed)["data"]["message"] == "Back at 9"
            (worker,) = workers(gateway, "serving")
            os.kill(worker["pid"], signal.SIGKILL)
            await until(
                lambda: [each["pid"] for each in workers(gateway, "serving")] not in ([], [worker["pid"]]), 15.0
            )
            assert (await ask(gateway, "GET", "/v1/x")).status == 503
            runner = CliRunner(env={"GATEWAY_ADMIN": f"127.0.0.1:{gateway.admin_port}", "GATEWAY_ADMIN_TOKEN": TOKEN})
            assert runner.invoke(main, ["reload", "--wait"]).exit_code == 0
            assert (await ask(gateway, "GET", "/v1/x")).status == 503
            gateway.signal(signal.SIGUSR2)
            await gateway.line(
                lambda line: '"started"' in line and json.loads(line)["pid"] != gateway.pid, WORKERS_WITHIN_S
            )
            assert (await ask(gateway, "GET", "/v1/x")).status == 503
            assert switched(gateway, "off") == "maintenance: off\n"
            assert (await ask(gateway, "GET", "/v1/x")).status == 200
            assert len(service.requests) == 1
