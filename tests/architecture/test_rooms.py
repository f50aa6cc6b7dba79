"""How large packages may become."""

from collections import Counter

from tests.architecture.files import ROOT, sources

MOST_FILES = 20
MOST_PERCENT = 16
"""Share of the lines of the package that a room, with the packages in it, may hold."""


def test_no_package_holds_more_than_20_files() -> None:
    files = Counter(str(path.parent) for path in sources("gateway"))
    assert {package: count for package, count in files.items() if count > MOST_FILES} == {}


def test_no_room_holds_more_than_16_percent_of_the_lines() -> None:
    lines: Counter[str] = Counter()
    for path in sources("gateway"):
        lines[path.parts[1]] += len((ROOT / path).read_text().splitlines())
    most = lines.total() * MOST_PERCENT / 100
    assert {package: count for package, count in lines.items() if count > most} == {}
