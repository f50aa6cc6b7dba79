"""kernel/envelope/charsets.py: declared charsets, byte order marks, and names that are no charsets."""

import codecs

import pytest

from gateway.kernel.envelope.charsets import UTF8, codec_for, codec_of, guessed, utf8_of

TEXT = '{"city":"Zürich"}'


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("utf-8", UTF8), ("UTF8", UTF8), ("", UTF8), ("rot13", UTF8), ("base64", UTF8), ("unicode_escape", UTF8), ("utf-7", UTF8), ("idna", UTF8), ("nonsense", UTF8),
        ("ISO-8859-1", "latin_1"), (' "latin-1" ', "latin_1"), ("us-ascii", "ascii"), ("windows-1252", "cp1252"), ("Windows-1251", "cp1251"), ("cp1250", "cp1250"),
        ("Shift_JIS", "cp932"), ("windows-31j", "cp932"), ("GB18030", "gb18030"), ("gb2312", "gb18030"), ("big5", "big5hkscs"), ("euc-kr", "cp949"), ("EUC-JP", "euc_jp"),
        ("utf-16", "utf_16"), ("UTF-16LE", "utf_16_le"), ("utf-32", "utf_32"), ("koi8-r", "koi8_r"), ("iso-8859-15", "iso8859_15"), ("iso-2022-jp", "iso2022_jp"),
    ],
)  # fmt: skip
def test_codec_of(charset: str, codec: str) -> None:
    assert codec_of(charset) == codec
    assert codecs.lookup(codec)._is_text_encoding


@pytest.mark.parametrize(
    "charset",
    [
        "latin-1",
        "windows-1252",
        "iso-8859-15",
        "utf-16",
        "utf-16le",
        "utf-16be",
        "utf-32",
        "utf-8",
        "gb18030",
        "macintosh",
    ],
)
def test_declared(charset: str) -> None:
    assert utf8_of(TEXT.encode(charset), codec_of(charset)) == TEXT.encode()


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (codecs.BOM_UTF8 + TEXT.encode(), ""), (codecs.BOM_UTF8 + TEXT.encode(), "latin-1"), (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), ""),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-8"), (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), "utf-16"),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), ""), (TEXT.encode("utf-16-be"), "utf-16"), (TEXT.encode("utf-16-le"), "utf-16"), (TEXT.encode("utf-32-be"), "utf-32"),
    ],
)  # fmt: skip
def test_a_mark_decides_and_is_dropped(body: bytes, charset: str) -> None:
    assert utf8_of(body, codec_of(charset)) == TEXT.encode()


def test_what_is_not_in_its_charset() -> None:
    with pytest.raises(UnicodeError):
        utf8_of(b"\x81", "cp1252")


def test_the_codec_for_a_stream() -> None:
    assert codec_for("latin_1", b"{") == "latin_1"
    assert codec_for("utf_16", b"\x00{") == "utf-16-be"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_json_that_nobody_declared(codec: str) -> None:
    assert guessed(TEXT.encode(codec)) == TEXT.encode()


@pytest.mark.parametrize("body", [b"", b"{", TEXT.encode(), b"\0\0\0\0", b"{\0a\0\x00\xd8"])
def test_other_bytes_are_not_guessed(body: bytes) -> None:
    assert guessed(body) is None
