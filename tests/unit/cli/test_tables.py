from gateway.cli.tables import aligned, markdown


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned(("id", "path"), [("a", "/long"), ("longer", "/")]) == "ID      PATH\na       /long\nlonger  /"


def test_no_rows_leave_the_header() -> None:
    assert aligned(("id",), []) == "ID"


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert markdown(("a", "b"), [("x|y", "z")]) == "| a | b |\n| --- | --- |\n| x\\|y | z |"
