"""cli/explain/command.py: a request is explained by a file, or by a running gateway."""

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
from tests.dry_runs import SECRET, TEXT, dry_run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(TEXT)
    return path


def run(*arguments: str) -> Result:
    return CliRunner(env={"GATEWAY_ADMIN": None}).invoke(main, ["explain", *arguments])


def test_by_a_file(file: Path) -> None:
    done = run("GET", "/v1/pets/7?a=1", "--key-id", "acme-ci", "-H", "Accept: x", "-c", str(file))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "route: pets.item (/v1/pets/{id}): it is the most specific" in done.stdout
    assert "  GET /base/v1/pets/7?a=1 HTTP/1.1\n  Host: 127.0.0.1:1\n  Accept: x\n" in done.stdout


def test_the_secret_of_a_key_is_nowhere(file: Path) -> None:
    for arguments in (("/v1/pets", "-H", f"X-Api-Key: {SECRET}"), (f"/v1/pets?X-Api-Key={SECRET}&a=b",)):
        for output in ("text", "json"):
            done = run("GET", *arguments, "-c", str(file), "--reveal", "--output", output)
            assert (done.exit_code, "acme-ci" in done.stdout, SECRET in done.output) == (0, True, False)


def test_as_json_with_numbers(file: Path) -> None:
    done = run("POST", "/v1/pets", "--key-id", "acme-ci", "-d", "{}", "-c", str(file), "--output", "json", "--reveal")
    found = json.loads(done.stdout)
    assert (found["charge"]["cost"], found["call"]["body_bytes"]) == (1, 2)
    assert "Bearer of-the-service" in found["call"]["targets"][0]["head"]


def test_by_a_running_gateway() -> None:
    request = DryRequest(method="GET", target="/v1/pets", key_id="acme-ci")

    async def made() -> bytes:
        return msgspec.json.encode(await explain(dry_run(), request))

    with admin(200, asyncio.run(made())) as (address, asked):
        done = run(
            "GET", "/v1/pets?a=b", "--key-id", "acme-ci", "-H", "A: b c", "--client", "10.0.0.1", "--admin", address
        )
    assert "route: pets.list (/v1/pets)" in done.stdout
    assert asked == [
        ("/explain?method=GET&target=%2Fv1%2Fpets%3Fa%3Db&key=acme-ci&client=10.0.0.1&header=A%3A+b+c", None)
    ]


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (404, b'{"error": "there is no key of this id"}', "there is no key, or no listener"),
        (200, b"{}", "is no gateway, or one of another release"),
        (503, b'{"error": "no worker answers"}', "no worker answers"),
    ],
)
def test_what_a_gateway_cannot_explain(status: int, body: bytes, text: str) -> None:
    with admin(status, body) as (address, _):
        done = run("GET", "/", "--admin", address)
    assert done.exit_code == 1
    assert text in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--key-id", "nobody", "-c", "FILE"), 1, "there is no key of this id"),
        (("--key-id", SECRET, "-c", "FILE"), 2, "looks like the secret"),
        (("--listener", "x", "-c", "FILE"), 1, "there is no listener `x`: public"),
        (("-H", "nothing", "-c", "FILE"), 2, "write `Name: value`"),
        (("--reveal",), 2, "--reveal belongs to -c"),
        (("-c", "missing.yaml"), 1, "missing.yaml"),
    ],
)
def test_what_cannot_be_explained(file: Path, arguments: tuple[str, ...], code: int, text: str) -> None:
    done = run("GET", "/v1/pets", *(str(file) if each == "FILE" else each for each in arguments))
    assert (done.exit_code, done.stdout) == (code, "")
    assert text in done.stderr


def test_keys_in_redis_are_read_where_one_is_named(file: Path) -> None:
    head, tail = TEXT.split("keys:\n")
    file.write_text(
        head + "redis: {url: redis://127.0.0.1:1}\nkeys: {store: redis}\nupstreams:" + tail.split("upstreams:")[1]
    )
    done = run("GET", "/v1/pets", "--key-id", "a", "-c", str(file))
    assert (done.exit_code, "Redis: " in done.stderr) == (1, True)
    assert run("GET", "/status", "-c", str(file)).exit_code == 0
