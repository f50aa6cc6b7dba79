"""What may stand in this repository, and where."""

import re

import pytest

from tests.architecture.files import ROOT, all_files, sources

TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "config", "deploy", "gateway", "tests"}
LONGER_THAN_300_LINES: dict[str, str] = {}
"""A file and the reason why it is longer."""

PACKAGE_REGISTRY = re.compile(
    r"(pypi\.(org|python)|pythonhosted|registry\.npmjs|deb\.debian|artifactory|nexus)", re.IGNORECASE
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(root|work|tmp/venv|home/\w+)/")
TEXT_SUFFIXES = {"", ".cfg", ".json", ".lock", ".lua", ".md", ".py", ".service", ".toml", ".txt", ".yaml", ".yml"}


def test_the_top_level_is_short() -> None:
    found = {path.parts[0] for path in all_files()}
    assert {name for name in found if not name.startswith(".")} <= TOP_LEVEL
    assert {name for name in found if name.startswith(".")} <= {".ci", ".dockerignore", ".gitignore"}


@pytest.mark.parametrize("top", ["gateway", "tests"])
def test_no_file_is_longer_than_300_lines(top: str) -> None:
    long = {str(path) for path in sources(top) if len((ROOT / path).read_text().splitlines()) > 300}
    assert long == {name for name in LONGER_THAN_300_LINES if name.startswith(top)}


@pytest.mark.parametrize("pattern", [PACKAGE_REGISTRY, MACHINE_PATH], ids=["registries", "machines"])
def test_nothing_names_a_place_that_others_do_not_have(pattern: re.Pattern[str]) -> None:
    this = "tests/architecture/test_repository.py"
    texts = [path for path in all_files() if path.suffix in TEXT_SUFFIXES and str(path) != this]
    assert [str(path) for path in texts if pattern.search((ROOT / path).read_text())] == []


@pytest.mark.parametrize(
    "forbidden",
    [
        pytest.param(r"\btime\.sleep\(|asyncio\.sleep\((?!0\))", id="sleeping"),
        pytest.param(r"mock\.patch|from unittest import mock|unittest\.mock|monkeypatch\.setattr", id="patching"),
        pytest.param(r"mark\.skip|pytest\.skip|mark\.xfail|importorskip", id="skipping"),
    ],
)
def test_no_test_resorts_to(forbidden: str) -> None:
    this = "tests/architecture/test_repository.py"
    assert [
        str(path) for path in sources("tests") if str(path) != this and re.search(forbidden, (ROOT / path).read_text())
    ] == []


def test_every_unit_test_mirrors_a_module() -> None:
    """tests/unit/a/test_b.py tests gateway/a/b.py; what is too long for one file goes on in test_b_more.py."""
    for path in sources("tests"):
        if path.parts[1] == "unit" and path.name.startswith("test_"):
            folder = ROOT.joinpath("gateway", *path.parts[2:-1])
            words = path.stem.removeprefix("test_").split("_")
            mirrored = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
            assert mirrored & {module.stem for module in folder.rglob("*.py")} or path.stem == f"test_{folder.name}", (
                f"{path} tests nothing"
            )
