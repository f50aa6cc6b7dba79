"""The README says what the code does."""

import re
from pathlib import Path

import pytest

from tests.architecture.tables import README, TABLES, with_tables

ROOT = README.parent


def test_its_tables_are_those_of_the_code() -> None:
    page = README.read_text()
    assert with_tables(page) == page, "renew them: python -m tests.architecture.tables"


@pytest.mark.parametrize("name", TABLES)
def test_it_has_every_table(name: str) -> None:
    assert f"<!-- table: {name} -->" in README.read_text()


def test_its_links_lead_somewhere() -> None:
    page = README.read_text()
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", page):
        if target.startswith("#"):
            assert target[1:] in anchors
        elif not target.startswith(("http://", "https://")):
            assert (ROOT / target).exists(), target


def test_the_commands_that_it_tells_to_run_exist() -> None:
    for script in re.findall(r"^sh (\S+)", README.read_text(), re.MULTILINE):
        assert Path(ROOT / script).is_file()
