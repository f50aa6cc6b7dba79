"""What has hurt somebody: what opens and never closes, what separates, what escapes, what is empty."""

HEAD_BYTES = 6_000
BODY_BYTES = 100_000
LARGE = 1 << 22
NOTHING = b"a"

UNITS = [
    b"[", b"[]", b"(", b"{", b"<", b"<a>;", b'"', b'\\"', b"\\", b"\\\\", b"'", b",", b", ", b";", b";a=", b"&", b"&a", b"&a=?x-api-key", b"=", b"?", b"??a",
    b"+", b"++a", b"%", b"%%a", b"%4", b"%41", b"%25", b"%2541", b"%2525", b"%00", b"%0d%0a", b"%C3", b"%E2%84%AA", b"/", b"/a", b"/.", b"//a", b".", b"..", b":",
    b"://", b"@", b"#", b"*", b"~", b"_", b"-", b" ", b"\t", b"a ", b"a,", b"a;", b"10.0.0.1,", b'for="[::1]";', b'W/"a",', b'299 - "a", ', b"299 - ", b'<a>;rel=sunset, ',
    b'<a>;rel="sunset ', b"x-api-key", b"x-api-key[", b"&x-api-key=k1234567", b"known-key", b"known-key&", b"0", b"a=1; ", b"a/b;", b"charset=", b"gzip,", b"\xc3\xa9", b"\xff",
    b"\xed\xa0\x80",
]  # fmt: skip
TARGET_UNITS = [
    unit for unit in UNITS if unit.isascii() and unit.decode().isprintable() and b" " not in unit and b"#" not in unit
]
REQUEST_FIELDS = [
    "Host", "X-Api-Key", "X-Tenant-Org-Id", "Cookie", "If-Match", "Connection", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded",
    "traceparent", "tracestate", "Expect", "TE", "Upgrade", "Content-Type", "Accept-Encoding", "Authorization", "Referer", "X-Anything",
]  # fmt: skip
REPLY_FIELDS = [
    "Content-Type", "Content-Encoding", "Connection", "Keep-Alive", "Transfer-Encoding", "Link", "Warning", "Deprecation", "Sunset", "ETag", "Location", "Set-Cookie", "X-Request-Id",
    "Content-Range", "Retry-After", "X-Anything",
]  # fmt: skip


def fill(unit: bytes, size: int) -> bytes:
    return (unit * (size // len(unit) + 1))[:size]


def shown(unit: object) -> str | None:
    """A unit in the name of a test."""
    return repr(unit)[2:-1] if isinstance(unit, bytes) else None
