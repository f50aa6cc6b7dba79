import pytest

from gateway.cli.tables import aligned, markdown, say


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned(("id", "path"), [("a", "/long"), ("longer", "/")]) == "ID      PATH\na       /long\nlonger  /"


def test_no_rows_leave_the_header() -> None:
    assert aligned(("id",), []) == "ID"


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert markdown(("a", "b"), [("x|y", "z")]) == "| a | b |\n| --- | --- |\n| x\\|y | z |"


@pytest.mark.parametrize(
    ("output", "quiet", "printed"),
    [
        ("text", False, "done\n"),
        ("text", True, ""),
        ("json", False, '{\n  "n": 1\n}\n'),
        ("json", True, '{\n  "n": 1\n}\n'),
    ],
)
def test_what_was_done_is_said_to_people_or_to_programs(
    output: str, printed: str, capsys: pytest.CaptureFixture[str], *, quiet: bool
) -> None:
    say("done", {"n": 1}, output, quiet=quiet)
    assert capsys.readouterr().out == printed
