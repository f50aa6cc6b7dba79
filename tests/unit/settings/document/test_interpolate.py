import re
from pathlib import Path

import pytest

from gateway.settings.document.interpolate import interpolate, references

ENVIRON = {"NAME": "value", "EMPTY": "", "NESTED": "${NAME}", "_x1": "y"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("${NAME}", "value"),
        ("a${NAME}b${_x1}", "avaluebyb"[:6] + "by"),
        ("${NAME:-other}", "value"),
        ("${NONE:-other}", "other"),
        ("${NONE:-}", ""),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY}", ""),
        ("${NAME:?must be set}", "value"),
        ("${NONE:-http://a:1/b?c=d}", "http://a:1/b?c=d"),
        ("$${NAME}", "${NAME}"),
        ("$$", "$"),
        ("$$$$", "$$"),
        ("cost: 5$", "cost: 5$"),
        ("$NAME", "$NAME"),
        ("${NESTED}", "${NAME}"),
    ],
)
def test_references_are_replaced_once(text: str, result: str, tmp_path: Path) -> None:
    assert interpolate(text, ENVIRON, tmp_path) == result


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("${NONE}", "`NONE` is not set in the environment; set it, or write `${NONE:-default}`"),
        ("${NONE:?ask the platform team}", "`NONE` is not set in the environment: ask the platform team"),
        ("${EMPTY:?}", "`EMPTY` is not set in the environment: it must be"),
        ("${NAME", "`${…}` is one of"),
        ("${}", "`${…}` is one of"),
        ("${1}", "`${…}` is one of"),
        ("${NAME:+x}", "`${…}` is one of"),
        ("${file:}", "`${file:}` names no file"),
        ("${file:none}", "`none` cannot be read: No such file or directory"),
        ("${file:.}", "`.` cannot be read: Is a directory"),
        ("${file:a\0b}", "`a\0b` cannot be read: not a path"),
    ],
)
def test_what_cannot_be_replaced_is_reported(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}"):
        interpolate(text, ENVIRON, tmp_path)


@pytest.mark.parametrize(
    ("content", "value"), [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("a\n\n", "a\n"), ("", ""), ("a", "a")]
)
def test_one_line_break_at_the_end_of_a_file_is_dropped(content: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    assert interpolate("${file:secret}", {}, tmp_path) == value
    assert interpolate(f"${{file:{tmp_path}/secret}}", {}, Path("/")) == value


def test_files_are_texts_of_a_sensible_size(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"a" * ((1 << 20) + 1))
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="`large` is larger than 1 MiB"):
        interpolate("${file:large}", {}, tmp_path)
    with pytest.raises(ValueError, match="`binary` is not UTF-8 text"):
        interpolate("${file:binary}", {}, tmp_path)


def test_references_are_listed_without_their_defaults() -> None:
    assert references("a ${NAME:-s3cret} $$ ${file:/run/x}") == ["${NAME}", "${file:/run/x}"]
