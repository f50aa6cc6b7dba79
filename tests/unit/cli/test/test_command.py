"""cli/test/command.py: exit codes, and errors with their places."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.dry_runs import TEXT

PASSES = "- {request: {target: /v1/pets, key: acme-ci}, expect: {route: pets.list}}\n"
FAILS = "- {request: {target: /v1/pets, key: acme-ci}, expect: {route: rest}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gateway.yaml").write_text(TEXT)
    return tmp_path


def run(folder: Path, *cases: str, options: tuple[str, ...] = ()) -> Result:
    files = [folder / f"{number}.yaml" for number in range(len(cases))]
    for file, text in zip(files, cases, strict=True):
        file.write_text(f"cases:\n{text}")
    return CliRunner().invoke(main, ["test", *map(str, files), "-c", str(folder / "gateway.yaml"), *options])


def test_passing_cases_are_0_and_failing_ones_1(folder: Path) -> None:
    done = run(folder, PASSES)
    assert (done.exit_code, done.stdout) == (0, "1 case, 0 failed\n")
    done = run(folder, PASSES, FAILS)
    assert done.exit_code == 1
    assert done.stdout == (
        f"{folder}/1.yaml:2:63: route: expected rest, got pets.list (GET /v1/pets)\n2 cases, 1 failed\n"
    )


def test_quietly_only_failures_are_printed(folder: Path) -> None:
    assert run(folder, PASSES, options=("-q",)).stdout == ""
    assert run(folder, FAILS, options=("-q",)).stdout.endswith("1 case, 1 failed\n")


def test_coverage_names_routes(folder: Path) -> None:
    done = run(folder, PASSES, options=("--coverage", "--output", "json"))
    found = json.loads(done.stdout)
    assert (done.exit_code, found["failed"]) == (1, 0)
    assert found["routes_without_case"] == ["pets.item", "pets.mine", "rest", "files", "open"]


def test_what_cannot_be_read_is_1(folder: Path) -> None:
    done = run(folder, "- {}\n")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "0.yaml:2:3: error: missing" in done.stderr
    assert run(folder).exit_code == 2
