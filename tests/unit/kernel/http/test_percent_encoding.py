"""kernel/http/percent_encoding.py: percent-encoding undone as the standard library undoes it."""

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.kernel.http.percent_encoding import spellings, unescape

_MARKS = bytes.maketrans(b"\0\1\3\4\5\6", b"\2" * 6)
texts = st.lists(
    st.sampled_from(
        [
            b"%",
            b"%4",
            b"%41",
            b"%0",
            b"%00",
            b"%3d",
            b"%3D",
            b"%25",
            b"=",
            b"\r",
            b"\n",
            b"%0D",
            b"%0A",
            b"a",
            b" ",
            b"_",
            b"\xff",
            b"\3",
            b"\4",
        ]
    )
).map(b"".join)


@given(texts)
@example(b"%%%41%")
@example(b"=%\r\n%0")
def test_nothing_is_decoded_in_another_way(text: bytes) -> None:
    assert unescape(text).translate(_MARKS) == unquote_to_bytes(text).translate(_MARKS)


@pytest.mark.parametrize("escape", [b"%00", b"%01", b"%03", b"%04", b"%05", b"%06"])
def test_marks_of_a_caller_cannot_be_spelled(escape: bytes) -> None:
    assert unescape(b"\0\1" + escape) == b"\0\1\2"


def test_spellings() -> None:
    assert spellings(b"a+b") == (b"a b",)
    assert spellings(b"%41+") == (b"%41 ", b"A ")
    assert spellings(b"%2541") == (b"%2541", b"%41", b"A")
    assert spellings(b"%2B%zz") == (b"%2B%zz", b" %zz")
