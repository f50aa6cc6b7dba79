"""What a backend's Content-Type means for the envelope."""

from codecs import getincrementaldecoder
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from gateway.kernel.jsontext import WHITE, is_json

Kind: TypeAlias = Literal["json", "text", "events", "binary", "unknown"]
"""`json` is spliced, `text` becomes a JSON string, the rest passes through or is refused. `unknown`: the backend does not say."""


class Media(NamedTuple):
    """`charset` is a codec of Python, for text. `shown` says whether an error text of this type may be shown to a client."""

    kind: Kind
    charset: str = "utf-8-sig"
    shown: bool = False


JSON = Media("json")
_TEXT = Media("text", shown=True)
_BINARY = Media("binary")
_UNKNOWN = Media("unknown")

_CHARSETS = {
    "us-ascii": "ascii", "ascii": "ascii", "iso-8859-1": "latin-1", "latin1": "latin-1", "iso-8859-2": "iso8859-2",
    "iso-8859-15": "iso8859-15", "windows-1250": "cp1250", "windows-1251": "cp1251", "windows-1252": "cp1252",
    "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be", "koi8-r": "koi8-r", "shift_jis": "shift_jis",
    "euc-jp": "euc_jp", "euc-kr": "euc_kr", "gbk": "gbk", "gb2312": "gb2312", "gb18030": "gb18030", "big5": "big5",
}  # fmt: skip
"""Charsets of text that are no UTF-8. Anything else counts as UTF-8, and is refused if it is not."""

_JSON_TYPES = frozenset({"application/json", "text/json", "application/x-json"})
_NOT_SHOWN = frozenset({"text/html", "text/xml", "text/css", "text/javascript", "text/csv"})


LONGEST_TYPE = 256
"""What is read of a Content-Type, in bytes. A type has at most 127 characters on each side of its slash (RFC 6838 4.2)."""


def media(content_type: bytes) -> Media:
    """What `content_type`, a field value, means. b"" when there is none."""
    return _media(content_type[:LONGEST_TYPE])


@lru_cache(maxsize=512)
def _media(content_type: bytes) -> Media:
    essence, _, parameters = content_type.decode("latin-1").lower().partition(",")[0].partition(";")
    essence = essence.strip()
    if essence in _JSON_TYPES or essence.endswith("+json"):
        return JSON
    if essence.count("/") != 1:
        return _UNKNOWN
    if essence == "text/event-stream":
        return Media("events")
    if not essence.startswith("text/"):
        return _BINARY
    charset = "utf-8-sig"
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            charset = _CHARSETS.get(value.strip(" \t\"'"), charset)
    return Media("text", charset, essence not in _NOT_SHOWN)


_LOOKS_LIKE_JSON = frozenset(b'{["-0123456789tfn')


def sniffed(body: bytes, *, whole: bool = True) -> Media:
    """What a body of a type that the backend does not say is. Without `whole`, `body` is its beginning."""
    text = body.strip(WHITE)
    if whole:
        if not text or (text[0] in _LOOKS_LIKE_JSON and is_json(text)):
            return JSON
    elif text[:1] in {b"{", b"["}:
        return JSON
    try:
        getincrementaldecoder("utf-8")().decode(body, final=whole)
    except UnicodeDecodeError:
        return _BINARY
    return _BINARY if b"\0" in body else _TEXT
