"""The views of the configuration in force, which the file may not contain any more."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway_process import KEY, GatewayProcess, configuration, digest, running

TOKEN, PASSWORD = "sesame-open-the-door", "hunter2"


def written(**sections: str) -> str:
    return configuration(1, **({"admin": f'{{address: "127.0.0.1:0", token: {TOKEN}}}'} | sections))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    redis = f'{{url: "redis://user:{PASSWORD}@127.0.0.1:1/0"}}'
    with running(written(redis=redis), tmp_path) as process:
        yield process


async def reloaded(gateway: GatewayProcess) -> tuple[int, str]:
    return await asyncio.to_thread(gateway.admin, "/reload?wait", "POST", {"Authorization": f"Bearer {TOKEN}"})


async def diff(gateway: GatewayProcess, file: Path) -> tuple[int | None, str]:
    command = ("-m", "gateway", "diff", "-c", str(file), "--admin", f"127.0.0.1:{gateway.admin_port}")
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_diff_shows_changes_before_a_reload_and_none_after_it(gateway: GatewayProcess, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    assert await diff(gateway, file) == (0, "nothing changes\n")
    before = file.read_text()
    file.write_text(
        before.replace("match: {prefix: /v1}", "match: {prefix: /v1, methods: [GET]}").replace(
            "id: tester", "id: tester2"
        )
    )
    output = (
        "breaking\n  route all: match.methods -POST, -PUT, -PATCH, -DELETE\n  key tester: removed\n"
        "widening\n  key tester2: added\n2 breaking, 1 widening, 0 other\n"
    )
    assert await diff(gateway, file) == (4, output)
    assert ((await reloaded(gateway))[0], await diff(gateway, file)) == (200, (0, "nothing changes\n"))


async def test_origins_belong_to_the_configuration_in_force_not_to_the_current_file(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    lines = file.read_text().splitlines()
    (line,) = [number for number, text in enumerate(lines, 1) if text.startswith("redis:")]
    before = json.loads(gateway.admin("/config/origins")[1])
    assert (before["redis.url"], before["redis.timeout"]) == (
        f"{file}:{line}:{lines[line - 1].index('url: ') + 6}",
        "default",
    )
    file.write_text("# one line more\n" + file.read_text())
    assert json.loads(gateway.admin("/config/origins")[1]) == before
    assert (await reloaded(gateway))[0] == 200
    after = json.loads(gateway.admin("/config/origins")[1])
    assert after["redis.url"] == before["redis.url"].replace(f":{line}:", f":{line + 1}:")


async def test_no_secret_leaves(gateway: GatewayProcess) -> None:
    status, inventory = gateway.admin("/config/outline")
    shown = inventory + gateway.admin("/config")[1]
    assert (status, [json.loads(line) for line in inventory.splitlines()][1]["kind"]) == (200, "section")
    assert [secret for secret in (TOKEN, PASSWORD, digest(KEY)) if secret in shown] == []
