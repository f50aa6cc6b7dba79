"""Classifies a backend's Content-Type for the envelope.

A body is JSON if any part of its type says so, or if it is valid JSON under a type that says nothing. A type that is a
medium of its own (pictures, archives, HTML, CSV, a sequence of JSON texts …) is never looked into: it is binary.
"""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, getincrementaldecoder
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from gateway.kernel.envelope.charsets import BOM, UTF8, codec_of, guessed, utf8_of
from gateway.kernel.envelope.raw_json import WHITE, is_json
from gateway.kernel.faults import UPSTREAM_BODY_INVALID, GatewayError

MediaKind: TypeAlias = Literal["json", "text", "events", "binary", "unknown", "octets"]
"""`json` is spliced, `text` becomes a JSON string, the rest passes through or is refused.

`unknown`: the backend does not say, so that it may be JSON, text or binary. `octets`: it only says that these are
bytes, which may be an object or an array of JSON, but no text.
"""


class Media(NamedTuple):
    """`charset` is a codec of Python. `shown` says whether an error text of this type may be shown to a client."""

    kind: MediaKind
    charset: str = UTF8
    shown: bool = False


JSON = Media("json")
_TEXT = Media("text", shown=True)
BINARY = Media("binary")
_UNKNOWN = Media("unknown")

_UNKNOWN_TYPES = frozenset(
    {
        "*/*",
        "application/*",
        "text/*",
        "unknown/unknown",
        "application/unknown",
        "application/x-unknown",
        "content/unknown",
    }
)
_OWN_MEDIA = re.compile(
    r"\Aapplication/(?:.*\+(?:xml|zip|cbor|yaml|wbxml|gzip|zstd|protobuf)\Z|(?:x-)?(?:ndjson|jsonl|jsonlines|json5|yaml|xml|javascript|ecmascript"
    r"|pdf|zip|gzip|tar|gtar|bzip2?|7z-compressed|rar|rar-compressed|wasm|msgpack|cbor|protobuf|sql|sqlite3|rtf|epub|ogg|mp4|postscript|sh|csv"
    r"|font-.*|zstd|mpegurl|parquet)\Z|(?:xhtml|xml-|java-|dash|x-java-|x-shockwave|x-msdownload|x-apple|grpc|vnd\.(?:ms-|openxml|oasis\.|apple\.mpegurl"
    r"|google-earth|android\.|rar|apache\.(?:arrow|parquet)|amazon\.eventstream|google\.protobuf|msgpack|debian|sqlite)))"
)
"""Subtypes of `application` that name their own medium.

All others may well be JSON, if it begins like it and is valid.
"""
_JSON_PART = re.compile(r"(?:\A|[/.+_-])json(?=[.+_-]|\Z)")
_SEQUENCE = frozenset({
    "application/stream+json", "application/json-seq", "application/geo+json-seq", "application/x-json-stream",
    "application/json-stream", "application/jsonl", "application/json-lines", "application/x-json-lines",
    "application/json5", "text/json5",
})  # fmt: skip
"""Types of several JSON texts, or of a language of its own."""


LONGEST_TYPE = 256
"""The number of bytes of a Content-Type that are read.

A type has at most 127 characters on each side of its slash (RFC 6838 4.2).
"""


def media(content_type: bytes) -> Media:
    """Return the meaning of `content_type`, a field value; b"" if the field is missing."""
    return _media(content_type[:LONGEST_TYPE])


@lru_cache(maxsize=512)
def _media(content_type: bytes) -> Media:
    essence, _, parameters = content_type.decode("latin-1").lower().partition(",")[0].partition(";")
    essence = essence.strip()
    charset = UTF8
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            charset = codec_of(value)
            break
    return _named(essence, charset)


def _named(essence: str, charset: str) -> Media:
    if essence.count("/") != 1 or essence in _UNKNOWN_TYPES:
        return _UNKNOWN if charset == UTF8 else Media("unknown", charset)
    if _JSON_PART.search(essence) and essence not in _SEQUENCE and not essence.endswith("-seq"):
        return JSON if charset == UTF8 else Media("json", charset)
    if essence == "text/event-stream":
        return Media("events")
    if essence == "binary/octet-stream" or (
        essence.startswith("application/")
        and essence not in _SEQUENCE
        and not essence.endswith("-seq")
        and not _OWN_MEDIA.match(essence)
    ):
        return Media("octets", charset)
    return (
        Media("text", charset, shown=True)
        if essence == "text/plain"
        else BINARY
        if charset == UTF8
        else Media("binary", charset)
    )


def is_attachment(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a body is a file to be saved (RFC 6266). `fields` are those of its reply, in lower case."""
    return any(
        name == b"content-disposition" and value.lstrip()[:10].lower() == b"attachment" for name, value in fields
    )


_WIDE_MARKS = frozenset({BOM_UTF16_LE, BOM_UTF16_BE})
_LOOKS_LIKE_JSON = frozenset(b'{["-0123456789tfn')
_LOOKS_LIKE_MARKUP = re.compile(rb"<(?:!doctype|!--|html|head|body|\?xml|svg|script)\b", re.IGNORECASE)


def sniffed(body: bytes, kind: Media = _UNKNOWN, *, whole: bool = True) -> Media:
    """Return the kind of a body whose type is missing or says no more than that it consists of bytes.

    Without `whole`, `body` is its beginning.
    """
    json = JSON if kind.charset == UTF8 else Media("json", kind.charset)
    try:
        text = utf8_of(body, kind.charset).strip(WHITE) if whole else body.removeprefix(BOM).strip(WHITE)
    except UnicodeError:
        return BINARY
    if kind.kind == "octets":
        return json if text[:1] in {b"{", b"["} and whole and is_json(text) else BINARY
    if whole:
        if not text or (text[0] in _LOOKS_LIKE_JSON and is_json(text)):
            return json
    elif text[:1] in {b"{", b"["}:
        return json
    if _LOOKS_LIKE_MARKUP.match(text):
        return BINARY
    try:
        getincrementaldecoder(kind.charset)().decode(body, final=whole)
    except UnicodeError:
        return BINARY
    return BINARY if kind.charset == UTF8 and b"\0" in body else kind._replace(kind="text", shown=True)


def json_in_utf8(body: bytes, charset: str) -> bytes:
    """Return `body` transcoded from `charset` to UTF-8; unchanged if it is not in `charset`, or is JSON in UTF-8."""
    try:
        text = utf8_of(body, charset)
    except UnicodeError:
        return body
    return text if is_json(text) or not is_json(body) else body


def wide_json(body: bytes) -> bytes | None:
    """Return a body in UTF-16 or UTF-32, by its mark or its zeros, in UTF-8; None for any other."""
    if body[:2] in _WIDE_MARKS or body[:4] == BOM_UTF32_BE:
        try:
            return utf8_of(body, UTF8)
        except UnicodeError:
            return None
    return guessed(body)


def wide_json_in_utf8(body: bytes) -> bytes:
    """Return JSON in UTF-16 or UTF-32 as UTF-8. Raises GatewayError UPSTREAM_BODY_INVALID for anything else."""
    text = wide_json(body)
    if text is None:
        raise GatewayError(UPSTREAM_BODY_INVALID, cause="not JSON")
    return text
