import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.yaml_files import DIGEST, LEAST

CONFIGURATION = f"""\
version: 1
organizations: [{{id: acme, limits: [{{id: hour, max: 1000, per: 1h}}]}}, {{id: initech}}]
plans:
- {{id: standard, limits: [{{id: minute, max: 300, per: 1m}}, {{id: day, max: 10000, per: 1d}}]}}
- {{id: strict, limits: [{{id: minute, max: 300, per: 1m, guarantee: any-window}}]}}
- {{id: internal, limits: []}}
keys:
- {{id: a, secret_sha256: {DIGEST}, organizations: [acme, initech], routes: ["dear*"]}}
- {{id: i, secret_sha256: {"f" * 64}, plan: internal, organizations: [acme], routes: [plain]}}
upstreams: [{{id: u, targets: [{{url: "http://127.0.0.1:1"}}]}}]
routes:
- {{id: plain, match: {{path: /plain}}, upstream: u}}
- {{id: dear, match: {{path: /dear, methods: [GET, PUT, DELETE]}}, upstream: u, cost: {{DELETE: 5, PUT: 0}}}}
- {{id: open, match: {{path: /open}}, upstream: u, auth: none, limits: [{{id: second, max: 2, per: 1s, methods: [POST]}}]}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIGURATION)
    return file


def worst(file: Path) -> dict[tuple[str, str, str], list[Any]]:
    done = CliRunner().invoke(main, ["limits", "worst-case", "-c", str(file), "--output", "json"])
    assert done.exit_code == 0
    return {
        (each["who"], each["route"], ",".join(each["methods"])): list(each["calls"].values())
        for each in json.loads(done.stdout)["worst_cases"]
    }


def test_every_plan_and_key_has_its_worst_case(file: Path) -> None:
    assert worst(file) == {
        ("plan standard", "", ""): [305, 600, 10416, 20000],
        ("plan standard", "dear", "PUT"): [None, None, None, None],
        ("plan standard", "dear", "DELETE"): [61, 120, 2083, 4000],
        ("plan strict", "", ""): [152, 300, 9209, 217589],
        ("plan internal", "", ""): [None, None, None, None],
        ("plan internal", "dear", "PUT"): [None, None, None, None],
        ("plan internal", "dear", "DELETE"): [None, None, None, None],
        ("plan anonymous", "", ""): [305, 600, 18300, 432300],
        ("plan anonymous", "open", "POST"): [4, 122, 7202, 172802],
        ("organization acme", "", ""): [1000, 1016, 2000, 25000],
        ("key a", "", ""): [305, 600, 10416, 20000],
        ("key a", "dear", "PUT"): [None, None, None, None],
        ("key a", "dear", "DELETE"): [61, 120, 2083, 4000],
        ("key a, organization acme", "", ""): [305, 600, 2000, 20000],
        ("key a, organization acme", "dear", "PUT"): [None, None, None, None],
        ("key a, organization acme", "dear", "DELETE"): [61, 120, 400, 4000],
        ("key i, organization acme", "", ""): [1000, 1016, 2000, 25000],
    }


def test_a_key_with_its_own_limits_is_distinguished_from_its_plan(file: Path) -> None:
    own = "plan: internal, limits: [{id: minute, max: 30, per: 1m}]"
    file.write_text(
        CONFIGURATION.replace("plan: internal, organizations: [acme]", f"{own}, organizations: [acme, initech]")
        .replace("keys:\n", f"keys:\n- {{id: lone, secret_sha256: {'e' * 64}, {own}, routes: [dear]}}\n")
    )  # fmt: skip
    printed = worst(file)
    assert printed["key i", "", ""] == [30, 60, 1830, 43230]
    assert printed["key i, organization acme", "", ""] == [30, 60, 1830, 25000]
    assert printed["key lone", "", ""] == [30, 60, 1830, 43230]
    assert printed["key lone", "dear", "DELETE"] == [6, 12, 366, 8646]
    assert ("plan internal", "dear", "DELETE") not in printed


def test_keys_in_redis_may_be_on_any_plan(file: Path) -> None:
    before = worst(file)
    text = file.read_text()
    file.write_text(
        text[: text.index("keys:")]
        + "redis: {url: 'redis://a'}\nkeys: {store: redis}\n"
        + text[text.index("upstreams:") :]
    )
    found = worst(file)
    assert {key: found[key] for key in found if key in before} == {
        key: before[key] for key in before if not key[0].startswith("key ")
    }
    assert ("plan strict", "dear", "DELETE") in found


def test_for_people_it_is_a_table(file: Path) -> None:
    done = CliRunner().invoke(main, ["limits", "worst-case", "-c", str(file)])
    assert done.exit_code == 0
    header, first, *_, last = done.stdout.splitlines()
    assert header.split() == ["WHO", "ROUTE", "METHODS", "COST", "SECOND", "MINUTE", "HOUR", "DAY", "LIMITS"]
    assert first.split() == ["plan", "standard", "-", "-", "1", "305", "600", "10416", "20000", "minute,", "day"]
    assert last.split()[-1] == "organization/hour"
    assert "no limit" in done.stdout


def test_keys_with_equal_limits_share_a_row(file: Path) -> None:
    """`a` is one of them."""
    keys = "".join(f"- {{id: k{number}, secret_sha256: {number:063}a}}\n" for number in range(5))
    file.write_text(CONFIGURATION.replace("keys:\n", f"keys:\n{keys}"))
    done = CliRunner().invoke(main, ["limits", "worst-case", "-c", str(file)])
    assert done.exit_code == 0, done.output
    assert next(line for line in done.stdout.splitlines() if "k0" in line).startswith("key k0, k1, k2 and 3 more ")


def test_a_file_that_is_wrong_is_explained(file: Path) -> None:
    file.write_text(LEAST + "x: 1\n")
    assert CliRunner().invoke(main, ["limits", "worst-case", "-c", str(file)]).exit_code == 1
