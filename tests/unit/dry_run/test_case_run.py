"""dry_run/case_run.py: what differs from what is expected."""

from pathlib import Path

import pytest

from gateway.dry_run.case_run import CaseResult, run_cases, uncovered
from gateway.dry_run.cases import read_cases
from gateway.dry_run.run import compiled
from gateway.settings import parse
from tests.clocks import ManualClock
from tests.dry_runs import CONFIG, TEXT


async def ran(tmp_path: Path, *cases: str) -> list[CaseResult]:
    file = tmp_path / "t.yaml"
    file.write_text("cases:\n" + "".join(f"- {case}\n" for case in cases))
    clock = ManualClock().clock
    return await run_cases(read_cases(file), compiled(CONFIG, clock), clock)


PASSING = (
    "{request: {target: /v1/pets, key: acme-ci}, expect: {route: pets.list, status: 200, forwarded: true}}",
    "{request: {target: /v1/pets}, expect: {status: 401, code: 1002, reason: key_missing, forwarded: false}}",
    "{request: {method: PUT, target: /status}, expect: {status: 405, headers: {allow: 'GET, HEAD'}, without: [X-Powered-By]}}",
    "{request: {target: /v1/pets, key: acme-ci}, expect: {upstream: {id: pets, path: /base/v1/pets, headers: {x-plain: '1'}, without: [X-Api-Key]}}}",
    "{request: {target: /v1/pets/7, key: acme-ci, repeat: 2}, expect: {status: 429, code: 8000}}",
    "{request: {method: POST, target: /v1/pets, key: acme-ci, repeat: 2}, expect: {status: 200}}",
    "{request: {method: POST, target: /v1/pets, key: acme-ci, repeat: 3}, expect: {status: 429, code: 8001}}",
    "{request: {target: /v1/pets, key: acme-ci}, service: {status: 404, body: {error: no pet}}, expect: {status: 404, code: 1001}}",
)


@pytest.mark.parametrize("case", PASSING)
async def test_what_is_as_expected(tmp_path: Path, case: str) -> None:
    (result,) = await ran(tmp_path, case)
    assert result.mismatches == []


@pytest.mark.parametrize(
    ("expected", "what", "shown"),
    [
        ("route: rest", "route", "expected rest, got pets.list"),
        ("code: 1001", "code", "expected 1001, got nothing"),
        ("reason: no_route", "reason", "expected no_route, got nothing"),
        ("forwarded: false", "forwarded", "expected False, got True"),
        ("headers: {A: b}", "headers.A", "expected b, got nothing"),
        ("without: [Content-Type]", "without[0]", "expected nothing, got application/json"),
        ("upstream: {id: other}", "upstream.id", "expected other, got pets"),
        ("upstream: {path: /}", "upstream.path", "expected /, got /base/v1/pets"),
        ("upstream: {headers: {Authorization: x}}", "upstream.headers.Authorization", "expected x, got ***"),
        ("upstream: {without: [X-Plain]}", "upstream.without[0]", "expected nothing, got 1"),
    ],
)
async def test_what_is_not(tmp_path: Path, expected: str, what: str, shown: str) -> None:
    (result,) = await ran(tmp_path, f"{{request: {{target: /v1/pets, key: acme-ci}}, expect: {{{expected}}}}}")
    (mismatch,) = result.mismatches
    assert mismatch.what == what
    assert str(mismatch).startswith(f"{tmp_path}/t.yaml:2:")
    assert str(mismatch).endswith(f": {what}: {shown}")


async def test_a_call_that_is_not_made_and_a_request_that_cannot_be(tmp_path: Path) -> None:
    first, second = await ran(
        tmp_path,
        "{name: a, request: {target: /none}, expect: {upstream: {path: /}}}",
        "{request: {target: /v1/pets, key: nobody}, expect: {status: 200}}",
    )
    assert (first.name, first.mismatches[0].what, first.mismatches[0].found) == ("a", "upstream", "nothing")
    assert (second.name, second.mismatches[0].found) == ("GET /v1/pets", "there is no key of this id")


async def test_routes_without_a_case(tmp_path: Path) -> None:
    results = await ran(tmp_path, *PASSING)
    assert uncovered(results, compiled(CONFIG, ManualClock().clock)) == ["pets.mine", "rest", "files", "open"]


async def test_the_upstream_of_a_split_is_the_one_that_the_caller_gets(tmp_path: Path) -> None:
    split = "split: [{upstream: pets, weight: 0}, {upstream: other, weight: 1}]"
    config = parse(
        TEXT.replace("path: /v1/pets/mine, methods: [GET]}, upstream: pets", f"path: /v1/pets/mine}}, {split}")
    )
    file, clock = tmp_path / "t.yaml", ManualClock().clock
    file.write_text(
        "cases:\n- {request: {target: /v1/pets/mine, key: acme-ci}, expect: {upstream: {id: other, path: /v1/pets/mine}}}\n"
    )
    (result,) = await run_cases(read_cases(file), compiled(config, clock), clock)
    assert result.mismatches == []
