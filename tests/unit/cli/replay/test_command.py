"""cli/replay/command.py: the exit codes are those of `gateway diff`."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.dry_run.explanation import explain
from gateway.dry_run.request import DryRequest
from tests.canned_admin import admin
from tests.clocks import ManualClock
from tests.dry_runs import CONFIG, SECRET, TEXT, dry_run
from tests.logged_gateway import LoggedGateway


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of four calls, beside the configuration that they were made with."""
    clock = ManualClock(1_700_000_000_000_000)
    gateway = LoggedGateway(CONFIG, clock)

    async def serve() -> None:
        for target, secret in (("/v1/pets", SECRET), ("/v1/pets", SECRET), ("/v1/pets/7", SECRET), ("/v1/pets", "")):
            await gateway.serve("GET", target, secret)
            clock.advance(1.0)

    asyncio.run(serve())
    (tmp_path / "old.yaml").write_text(TEXT)
    path = tmp_path / "access.jsonl"
    path.write_bytes(b"".join(gateway.lines) + b'{"event": "started"}\n')
    return path


def run(log: Path, text: str, *arguments: str) -> Result:
    file = log.with_name("new.yaml")
    file.write_text(text)
    return CliRunner().invoke(main, ["replay", str(log), "-c", str(file), *arguments])


def test_nothing_is_0(log: Path) -> None:
    for more in ((), ("--against", str(log.with_name("old.yaml")))):
        done = run(log, TEXT, *more)
        assert (done.exit_code, done.stdout) == (
            0,
            "4 calls replayed, 0 would meet something else\n1 other lines left out\n",
        )


def test_a_change_is_3_and_a_refusal_is_4(log: Path) -> None:
    done = run(log, TEXT.replace("id: pets.item", "id: pets.one").replace("[{routes: [pets", "[{routes: [pets"))
    assert done.exit_code == 3
    assert done.stdout.startswith(
        "other\n  1 call: GET by key acme-ci: route pets.item -> route pets.one (such as /v1/pets/7, "
    )
    done = run(log, TEXT.replace("id: minute, max: 300", "id: minute, max: 2"), "--output", "json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["calls"], found["changed_calls"]) == (4, 4, 1)
    assert [(each["calls"], each["status_after"], each["limits"]) for each in found["changes"]] == [
        (1, 429, ["minute"])
    ]


def test_a_running_gateway_is_asked_once_for_equal_calls(log: Path) -> None:
    request = DryRequest(method="GET", target="/v1/pets", key_id="acme-ci")
    body = msgspec.json.encode(asyncio.run(_explained(request)))
    with admin(200, body) as (address, requests):
        done = run(log, TEXT, "--admin", address)
    assert (done.exit_code, len(requests)) == (4, 3)
    assert "GET by key acme-ci: route pets.list -> route pets.item" in done.stdout
    assert "GET by no key: route pets.list -> 401 key_missing on route pets.list" in done.stdout
    with admin(404, b'{"error": "there is no key of this id"}') as (address, _):
        assert "401 key_unknown -> route pets.list" in run(log, TEXT, "--admin", address).stdout


async def _explained(request: DryRequest) -> object:
    return await explain(dry_run(), request)


def test_what_a_gateway_refuses_is_its_verdict(log: Path) -> None:
    body = msgspec.json.encode(asyncio.run(_explained(DryRequest(method="GET", target="/v1/pets"))))
    with admin(200, body) as (address, _):
        done = run(log, TEXT, "--admin", address)
    assert "401 key_missing on route pets.list -> route pets.list" in done.stdout


def test_against_and_admin_exclude_one_another(log: Path) -> None:
    done = run(log, TEXT, "--against", "a", "--admin", "b")
    assert (done.exit_code, "exclude one another" in done.stderr) == (2, True)
    assert run(log, "version: 2\n").exit_code == 1
