"""cli/usage.py: `gateway usage`."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.canned_admin import admin
from tests.redis_server import RedisProcess, free_port
from tests.unit.accounting.test_storage import A, add, batch
from tests.yaml_files import LEAST

MONTH = ("--month", "2126-11")


def run(folder: Path, redis: str, *arguments: str) -> Result:
    file = folder / "gateway.yaml"
    file.write_text(LEAST + redis)
    return CliRunner().invoke(main, ["usage", "-c", str(file), *arguments])


@pytest.fixture
def redis(module_redis: RedisProcess) -> str:
    """The section of a Redis with some usage."""
    module_redis.ask("FLUSHALL")
    rows = [(A, [12, 1, 34, 5678]), ((*A[:3], "encodings"), [3]), (("", "", "", ""), [2, 2, 0, 0])]
    add(module_redis, batch(1, *rows))
    return f"redis: {{url: '{module_redis.url}'}}\n"


def test_text_has_a_table_and_a_total(tmp_path: Path, redis: str) -> None:
    done = run(tmp_path, redis, *MONTH)
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "2126-11-01 to 2126-11-30\n"
        "ORGANIZATION  CALLS  ERRORS  REQUEST BYTES  RESPONSE BYTES  CALLERS  QUOTA ENCODINGS\n"
        "-             2      2       0              0               0        0\n"
        "acme          12     1       34             5678            1        3\n"
        "total         14     3       34             5678            1        3\n"
    )
    several = run(tmp_path, redis, *MONTH, "--by", "key", "--by", "route", "--by", "key")
    assert several.stdout.splitlines()[1].startswith("KEY    ROUTE  CALLS")
    assert run(tmp_path, redis, "--from", "2126-12-01", "--to", "2126-12-01").stdout == (
        "2126-12-01 to 2126-12-01: no usage\n"
    )


def test_csv_has_a_header_and_plain_numbers(tmp_path: Path, redis: str) -> None:
    done = run(tmp_path, redis, *MONTH, "--output", "csv", "--by", "day", "--by", "organization", "--key", "ci")
    header = ["day", "organization", "calls", "errors", "request_bytes", "response_bytes", "callers", "quota:encodings"]
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        header,
        ["2126-11-30", "acme", "12", "1", "34", "5678", "1", "3"],
    ]


def test_json_has_numbers_as_numbers(tmp_path: Path, redis: str) -> None:
    found = json.loads(run(tmp_path, redis, *MONTH, "--output", "json", "--organization", "acme").stdout)
    assert found.keys() == {"from", "to", "by", "rows", "total"}
    assert found["rows"] == [
        {
            "calls": 12,
            "errors": 1,
            "request_bytes": 34,
            "response_bytes": 5678,
            "callers": 1,
            "quotas": {"encodings": 3},
            "organization": "acme",
        }
    ]


def test_what_cannot_be_answered_is_explained(tmp_path: Path) -> None:
    away = f"redis: {{url: 'redis://127.0.0.1:{free_port()}'}}\n"
    cases = {
        ("", *MONTH): (1, "usage is kept in Redis, and this configuration has none"),
        (away, *MONTH): (1, "Redis: refused"),
        (away, "--month", "11/2026"): (2, "`month` is written like 2026-11"),
        (away, "--by", "plan"): (2, "'plan' is not one of"),
        (away, "--key", "gw_secret"): (2, "this looks like the secret of a key"),
        ("nonsense: 1\n", *MONTH): (1, "nonsense"),
    }
    for (section, *arguments), (code, text) in cases.items():
        done = run(tmp_path, section, *arguments)
        assert done.exit_code == code
        assert text in done.stderr


def test_a_running_gateway_is_asked() -> None:
    sums = {"calls": 3, "errors": 0, "request_bytes": 0, "response_bytes": 0, "callers": 1, "quotas": {}}
    body = {"from": "2026-11-01", "to": "2026-11-30", "by": ["key"], "rows": [sums | {"key": "ci"}], "total": sums}
    with admin(200, json.dumps(body).encode()) as (address, asked):
        done = CliRunner().invoke(main, ["usage", "--admin", address, "--by", "key", "--key", "ci", "--output", "json"])
        assert json.loads(done.stdout) == body
        assert asked == [("/usage?key=ci&by=key", None)]


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (400, b'{"error": "a period has 31 days at most"}', "a period has 31 days at most"),
        (404, b'{"error": "no usage is counted"}', "no usage is counted"),
        (200, b'{"rows": 3}', "is no gateway of this release"),
    ],
)
def test_what_a_gateway_cannot_answer(status: int, body: bytes, text: str) -> None:
    with admin(status, body) as (address, _):
        done = CliRunner().invoke(main, ["usage", "--admin", address])
        assert done.exit_code == 1
        assert text in done.stderr
