"""Text in the charset that a backend declares, turned into UTF-8 without a byte order mark.

A mark is believed before any declaration, and dropped. Only charsets of text are known: Python has codecs that are
none.
"""

import codecs
from encodings.aliases import aliases

UTF8 = "utf-8-sig"
"""The charset where none, or an unknown one, is declared. It is a codec of Python, as are all results of `codec_of`."""

BOM = codecs.BOM_UTF8

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
"""Byte order marks. Longer ones stand before those that they begin with."""

_NO_CHARSETS = frozenset({
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "uu_codec", "zlib_codec", "rot_13", "idna", "punycode",
    "undefined", "raw_unicode_escape", "unicode_escape", "unicode_internal", "mbcs", "oem", "tactis", "utf_7", "utf_8",
})  # fmt: skip
_BY_NAME = {
    **{name: codec for alias, codec in aliases.items() for name in (alias, codec) if codec not in _NO_CHARSETS},
    "x_sjis": "cp932", "windows_31j": "cp932", "shift_jis": "cp932", "sjis": "cp932", "x_gbk": "gbk",
    "gb2312": "gb18030", "gbk": "gb18030", "x_euc_jp": "euc_jp", "x_big5": "big5hkscs", "big5": "big5hkscs",
    "ks_c_5601_1987": "cp949", "euc_kr": "cp949", "iso_8859_8_i": "iso8859_8", "x_cp1250": "cp1250",
    "x_cp1251": "cp1251", "x_cp1252": "cp1252", "win_1250": "cp1250", "win_1251": "cp1251", "win_1252": "cp1252",
    "x_mac_roman": "mac_roman", "x_mac_cyrillic": "mac_cyrillic", "koi8_u": "koi8_u", "koi8_t": "koi8_t",
    "tis_620": "tis_620", "unicode": "utf_16", "ucs_2": "utf_16", "iso_10646_ucs_2": "utf_16", "csunicode": "utf_16",
    "ucs_4": "utf_32",
}  # fmt: skip
"""Names of the IANA registry and names in use elsewhere, in lower case with underscores.

The charsets of Windows contain those they extend.
"""

_WIDE = {"utf_16": ("utf-16-le", "utf-16-be"), "utf_32": ("utf-32-le", "utf-32-be")}
_ALIKE = str.maketrans("-.: ", "____")


def codec_of(charset: str) -> str:
    """Return the codec of a charset by its declared name, `UTF8` for an unknown name."""
    return _BY_NAME.get(charset.strip(" \t\"'").lower().translate(_ALIKE), UTF8)


def codec_for(codec: str, first: bytes) -> str:
    """Return the codec of a body declared as `codec` that begins with `first`.

    A byte order mark decides, or else the first character.
    """
    for mark, marked in _MARKS:
        if first.startswith(mark):
            return marked + "-sig" if marked == "utf-8" else _WIDE_WITH_MARK[marked]
    if codec in _WIDE:
        little, big = _WIDE[codec]
        return big if first[:1] == b"\0" else little
    return codec


_WIDE_WITH_MARK = {"utf-32-le": "utf-32", "utf-32-be": "utf-32", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
"""Codecs that remove the byte order mark."""


def utf8_of(body: bytes, codec: str) -> bytes:
    """Return `body` in UTF-8, without its mark. Raises UnicodeError when it is not in its charset."""
    fitting = codec_for(codec, body[:4])
    if fitting == UTF8:
        return body.removeprefix(BOM)
    return body.decode(fitting).encode()


_BY_ZEROS = {"x000": "utf-32-le", "000x": "utf-32-be", "x0x0": "utf-16-le", "0x0x": "utf-16-be"}


def guessed(body: bytes) -> bytes | None:
    """Return the codec of undeclared JSON in UTF-16 or UTF-32, found by its zeros (RFC 4627 3); None for others."""
    codec = _BY_ZEROS.get("".join(["x" if byte else "0" for byte in body[:4]]))
    if codec is None:
        return None
    try:
        return body.decode(codec).encode()
    except UnicodeError:
        return None
