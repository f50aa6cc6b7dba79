"""One word, one thing: no type name stands twice, and no name of the first release is left."""

from collections import defaultdict

import pytest

from tests.architecture.names import OLD_NAMES, OLD_WORDS, defined_names, parts_of, public_types


def test_no_two_modules_define_the_same_public_type_name() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for named in public_types():
        homes[named.name].append(str(named.path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_words_of_a_name() -> None:
    assert parts_of("_HTTPHead2Reader") == ["http", "head", "2", "reader"]
    assert parts_of("door_error") == ["door", "error"]


@pytest.mark.parametrize("top", ["gateway", "tests"])
def test_no_old_name_is_left(top: str) -> None:
    left = [
        str(named)
        for named in defined_names(top)
        if named.name.strip("_") in OLD_NAMES or not OLD_WORDS.keys().isdisjoint(parts_of(named.name))
    ]
    assert sorted(set(left)) == []
