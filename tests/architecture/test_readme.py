"""The README pages say what the code does."""

import re
from pathlib import Path

import pytest

from tests.architecture.tables import PAGES, README, ROOT, TABLES, with_tables

FRONT_PAGE_LINES = 300
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pages
def test_tables_are_those_of_the_code(page: Path) -> None:
    text = page.read_text()
    assert with_tables(text) == text, "renew them: python -m tests.architecture.tables"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_stands_on_one_page(name: str) -> None:
    assert sum(page.read_text().count(f"<!-- table: {name} -->") for page in PAGES) == 1


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            name, _, anchor = target.partition("#")
            other = page.parent / name if name else page
            assert other.exists(), target
            assert not anchor or anchor in _anchors(other.read_text()), target


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


@pages
def test_the_commands_to_run_exist(page: Path) -> None:
    for script in re.findall(r"^sh (\S+)", page.read_text(), re.MULTILINE):
        assert Path(ROOT / script).is_file()


def test_the_front_page_is_short() -> None:
    assert len(README.read_text().splitlines()) <= FRONT_PAGE_LINES
