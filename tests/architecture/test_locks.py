"""The locks fit the ranges of pyproject.toml, and each other."""

import re
import tomllib

import pytest

from tests.architecture.files import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = {"run": PYPROJECT["project"]["dependencies"], **PYPROJECT["dependency-groups"]}
RUN, TEST, SBOM = "deploy/requirements.lock", "tests/requirements.lock", "deploy/sbom.lock"
COMPILE = "deploy/compile.lock"


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", (ROOT / lock).read_text(), re.MULTILINE))


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".") if number.isdecimal())


def required(*groups: str) -> dict[str, str]:
    """Names as a lock spells them, and their ranges."""
    found = [line for group in groups for line in GROUPS[group]]
    split = [re.fullmatch(r"([A-Za-z0-9-]+)(?:\[.*\])?(.*)", line) for line in found]
    return {match[1].lower(): match[2] for match in split if match}


@pytest.mark.parametrize(
    ("lock", "groups"), [(RUN, ("run", "build")), (TEST, ("run", "build", "test")), (COMPILE, ("compile",))]
)
def test_every_requirement_is_pinned_within_its_range(lock: str, groups: tuple[str, ...]) -> None:
    pinned = pins(lock)
    for name, bounds in required(*groups).items():
        version = numbers(pinned[name])
        for operator, bound in re.findall(r"(>=|<)([0-9.]+)", bounds):
            assert (version >= numbers(bound)) == (operator == ">="), f"{name} {pinned[name]} is not {operator}{bound}"


def test_tests_run_with_what_is_deployed() -> None:
    # Both commands use one .venv, which the second only adds to.
    assert pins(RUN).items() <= pins(TEST).items()


def test_what_compiles_is_what_the_tests_compile_with() -> None:
    assert pins(COMPILE).items() <= pins(TEST).items()


def test_what_lists_the_packages_of_the_image_is_pinned() -> None:
    (wanted,) = PYPROJECT["dependency-groups"]["sbom"]
    assert pins(SBOM)["cyclonedx-bom"].startswith("7.")
    assert wanted.startswith("cyclonedx-bom>=7.")


@pytest.mark.parametrize("lock", [RUN, TEST, SBOM, COMPILE])
def test_every_file_to_install_is_known_by_its_hash(lock: str) -> None:
    entries = re.split(r"^(?=[a-z])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
