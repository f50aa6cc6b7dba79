"""settings/positions.py: data that knows where it stands in its file."""

from pathlib import Path

from gateway.settings.positions import Items, Position, SourceFile, Table, locate, position_of_key, spell

SOURCE = SourceFile.of("a.yaml", "one\r\ntwo\nthree\u2028four", Path())


def at(line: int) -> Position:
    return Position(SOURCE, line, 1)


def sample() -> Table:
    root, items = Table(at(1)), Items(at(3))
    items.append("x")
    items.positions.append(at(4))
    items.redacted.add(0)
    root["list"] = items
    root.positions["list"] = (at(2), at(3))
    root["key"] = "value"
    root.positions["key"] = (at(5), at(6))
    root.redacted.add("key")
    return root


def test_lines_end_where_yaml_ends_them() -> None:
    assert SOURCE.lines == ("one", "two", "three", "four")


def test_a_value_is_found_with_its_position_and_whether_it_is_redacted() -> None:
    root = sample()
    assert locate(root, ("key",)) == (at(6), "value", True)
    assert locate(root, ("list", 0)) == (at(4), "x", True)
    assert locate(root, ("list",)) == (at(3), ["x"], False)


def test_a_missing_value_has_the_position_of_the_innermost_collection() -> None:
    root = sample()
    assert locate(root, ("list", 7)) == (at(3), None, False)
    assert locate(root, ("nobody", "below")) == (at(1), None, False)


def test_the_position_of_a_key() -> None:
    root = sample()
    assert position_of_key(root, ("key",)) == at(5)
    assert position_of_key(root, ("nobody",)) == at(1)
    assert position_of_key(root, ("list", 0)) == at(3)


def test_a_path_is_spelled_with_dots_and_brackets() -> None:
    assert spell(("routes", 0, "match", "path")) == "routes[0].match.path"
