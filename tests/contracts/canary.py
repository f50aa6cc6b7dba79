"""Keys that are looked for, and every place where a client may put one."""

import hashlib
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

MARK = b"canary7qp"
"""Part of every secret; nothing else is called so."""

SECRETS = {
    name: b"gw_Canary7Qp_%b_0123456789" % name.encode()
    for name in ("valid", "spent", "barred", "disabled", "expired", "unknown")
}
ORDINARY = b"gw_ordinary_0123456789abcdefghij"
"""A key that may be seen nowhere either; but it is not what these tests look for."""

Place: TypeAlias = Callable[[bytes, bytes], bytes]
"""Makes a request of a path and a secret."""


def escaped(text: bytes) -> bytes:
    """Every byte percent-encoded."""
    return b"".join([b"%%%02X" % byte for byte in text])


def twice(text: bytes) -> bytes:
    return escaped(text).replace(b"%", b"%25")


def head(line: bytes, *fields: bytes, host: bytes = b"h") -> bytes:
    return b"\r\n".join([line, b"Host: " + host, *fields, b"", b""])


def field(text: bytes) -> Place:
    """A header line; `$K` in it is the secret."""
    return lambda path, key: head(b"GET %b HTTP/1.1" % path, text.replace(b"$K", key))


def beside(text: bytes) -> Place:
    """A header line with the secret, beside the same secret where it belongs."""
    return lambda path, key: head(b"GET %b HTTP/1.1" % path, b"X-Api-Key: " + key, text.replace(b"$K", key))


def query(text: bytes, encode: Callable[[bytes], bytes] = bytes) -> Place:
    return lambda path, key: head(b"GET %b?%b HTTP/1.1" % (path, text.replace(b"$K", encode(key))))


def ordinary_and(text: bytes, encode: Callable[[bytes], bytes] = bytes) -> Place:
    """The secret in the URL, and the key that counts in the header."""
    return lambda path, key: head(
        b"GET %b%b HTTP/1.1" % (path, text.replace(b"$K", encode(key))), b"X-Api-Key: " + ORDINARY
    )


def posted(path: bytes, key: bytes, kind: bytes, body: bytes) -> bytes:
    """A request with a body, and the secret where it belongs, too."""
    fields = (b"X-Api-Key: " + key, b"Content-Type: " + kind, b"Content-Length: %d" % len(body))
    return head(b"POST %b HTTP/1.1" % path, *fields) + body


def whole(text: bytes) -> Place:
    """Any bytes; `$P` is the path, `$K` the secret."""
    return lambda path, key: text.replace(b"$P", path).replace(b"$K", key)


_START = b"GET $P HTTP/1.1\r\nHost: h\r\n"
_NAMES = (
    b"X-Api-Key", b"x-api-key", b"X-API-KEY", b"X_Api_Key", b"x_api-key", b"X%2DApi%2DKey", b"%58-Api-Key", escaped(b"X-Api-Key"), twice(b"X-Api-Key"),
    b"X%5FApi%5FKey", b"%78%2dapi%2dkey",
)  # fmt: skip

PLACES: dict[str, Place] = {
    **{
        f"field {name!r}": field(name + b": $K")
        for name in (b"X-Api-Key", b"x-api-key", b"X-API-KEY", b"X_Api_Key", b"x_api_key", b"X-Api_Key")
    },
    **{
        f"field {text!r}": field(text)
        for text in (b"X-Tenant-Org-Id: $K", b"X-Request-Id: $K", b"X-Caller-Id: $K", b"traceparent: $K")
    },
    "field, spaces": field(b"X-Api-Key:   $K\t "),
    "field, with quotes": field(b'X-Api-Key: "$K"'),
    "field, with a scheme": field(b"X-Api-Key: Bearer $K"),
    "field, with a byte too many": field(b"X-Api-Key: $K\xff"),
    "field, twice": field(b"X-Api-Key: $K\r\nX-Api-Key: $K"),
    "field, with another": field(b"X-Api-Key: $K\r\nX-Api-Key: " + ORDINARY),
    "field, in a list": field(b"X-Api-Key: $K, $K"),
    "field, named in Connection": field(b"Connection: X-Api-Key\r\nX-Api-Key: $K"),
    "beside, look-alike": beside(b"X_API_KEY: $K"),
    "beside, Referer": beside(b"Referer: https://h/v1?X-Api-Key=$K"),
    "beside, Referer, escaped": lambda path, key: head(
        b"GET %b HTTP/1.1" % path, b"X-Api-Key: " + key, b"Referer: /?X-Api-Key=" + escaped(key)
    ),
    "beside, Referer, escaped twice": lambda path, key: head(
        b"GET %b HTTP/1.1" % path, b"X-Api-Key: " + key, b"Referer: /?next=" + twice(key)
    ),
    "URL and Referer, beside another": lambda path, key: head(
        b"GET %b?X-Api-Key=%b HTTP/1.1" % (path, key), b"X-Api-Key: " + ORDINARY, b"Referer: /?X-Api-Key=" + key
    ),
    "beside, Cookie": beside(b"Cookie: a=b; key=$K; c=d"),
    "beside, Authorization": beside(b"Authorization: Bearer $K"),
    "beside, User-Agent": beside(b"User-Agent: $K"),
    "beside, any": beside(b"X-Note: ($K)"),
    "beside, traceparent": beside(b"traceparent: $K\r\ntracestate: a=$K"),
    "beside, X-Request-Id": beside(b"X-Request-Id: $K"),
    "beside, X-Forwarded-*": beside(b"X-Forwarded-For: $K\r\nX-Forwarded-Host: $K\r\nForwarded: for=$K"),
    "beside, X-Caller-*": beside(b"X-Caller-Id: $K\r\nX_Caller_Plan: $K"),
    "beside, Upgrade": beside(b"Connection: Upgrade, $K\r\nUpgrade: $K"),
    "beside, Expect": beside(b"Expect: $K"),
    "beside, Via": beside(b"Via: 1.1 $K"),
    "beside, Idempotency-Key": whole(
        b"POST $P HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nX-Api-Key: $K\r\nIdempotency-Key: $K\r\n\r\n{}"
    ),
    "beside, organisation": beside(b"X-Tenant-Org-Id: $K"),
    **{f"query {name!r}": query(name + b"=$K") for name in _NAMES},
    **{f"query {name!r}, escaped": query(name + b"=$K", escaped) for name in _NAMES},
    **{f"query {name!r}, beside a header": ordinary_and(b"?a=b&" + name + b"=$K&c=d") for name in _NAMES},
    **{f"query {name!r}, after a semicolon": ordinary_and(b"?a=b;" + name + b"=$K") for name in _NAMES},
    "query, escaped twice": query(b"X-Api-Key=$K", twice),
    "query, escaped twice, beside a header": ordinary_and(b"?X-Api-Key=$K", twice),
    "query, twice": query(b"X-Api-Key=$K&X-Api-Key=$K"),
    "query, empty and full": query(b"X-Api-Key=&X-Api-Key=$K"),
    "query, empty parts": query(b"&&=&X-Api-Key=$K&&"),
    "query, second question mark": query(b"?X-Api-Key=$K"),
    "query, second question mark, beside a header": ordinary_and(b"?a?X-Api-Key=$K"),
    "query, with spaces": ordinary_and(b"?+X-Api-Key=$K&X-Api-Key+=$K&%20X-Api-Key%20=$K"),
    "query, as a list": ordinary_and(b"?X-Api-Key[]=$K&X-Api-Key[0]=$K&X-Api-Key%5B%5D=$K"),
    "query, with NUL": ordinary_and(b"?X-Api-Key%00=$K&%00X-Api-Key=$K"),
    "query, with a fragment": whole(b"GET $P?X-Api-Key=$K#$K HTTP/1.1\r\nHost: h\r\n\r\n"),
    "query, with a space": whole(b"GET $P?X-Api-Key=$K x HTTP/1.1\r\nHost: h\r\n\r\n"),
    "query, with a raw byte": whole(b"GET $P?X-Api-Key=$K\xff HTTP/1.1\r\nHost: h\r\n\r\n"),
    "query of a whole URL": whole(b"GET http://h$P?X-Api-Key=$K HTTP/1.1\r\nHost: h\r\n\r\n"),
    "userinfo of a whole URL": whole(b"GET http://u:$K@h$P HTTP/1.1\r\nHost: h\r\nX-Api-Key: $K\r\n\r\n"),
    "parameter of a path": ordinary_and(b"/x;X-Api-Key=$K"),
    "parameter of a path, escaped": ordinary_and(b"/x%3BX-Api-Key%3D$K"),
    "escaped question mark": ordinary_and(b"/x%3FX-Api-Key=$K"),
    "question mark, escaped twice": ordinary_and(b"/x%253FX-Api-Key%253D$K", twice),
    "path, no other key": whole(b"GET $P/x;X-Api-Key=$K HTTP/1.1\r\nHost: h\r\n\r\n"),
    "trailer": whole(
        b"POST $P HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Api-Key: "
        + ORDINARY
        + b"\r\n\r\n1\r\na\r\n0\r\nX-Api-Key: $K\r\n\r\nGET $P HTTP/1.1\r\nHost: h\r\n\r\n"
    ),
    "extension of a chunk": whole(
        b"POST $P HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Api-Key: $K\r\n\r\n1;X-Api-Key=$K\r\na\r\n0\r\n\r\n"
    ),
    "broken chunk": whole(
        b"POST $P HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Api-Key: $K\r\n\r\nX-Api-Key: $K\r\n"
    ),
    "broken body": whole(b"POST $P HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Api-Key: $K\r\n\r\na"),
    "Host": whole(b"GET $P HTTP/1.1\r\nHost: u@$K\r\n\r\n"),
    "Host twice": whole(_START + b"Host: $K\r\nX-Api-Key: $K\r\n\r\n"),
    "no Host": whole(b"GET $P HTTP/1.1\r\nX-Api-Key: $K\r\n\r\n"),
    "bare CR": whole(_START + b"X-Api-Key: $K\r$K\r\n\r\n"),
    "NUL": whole(_START + b"X-Api-Key: $K\x00\r\n\r\n"),
    "folded": whole(_START + b"X-Api-Key:\r\n $K\r\n\r\n"),
    "space before the colon": whole(_START + b"X-Api-Key : $K\r\n\r\n"),
    "no colon": whole(_START + b"X-Api-Key $K\r\n\r\n"),
    "as a name": whole(_START + b"$K: X-Api-Key\r\nX-Api-Key: $K\r\n\r\n"),
    "as a wrong name": whole(_START + b"($K): a\r\n\r\n"),
    "as a method": whole(b"$K $P HTTP/1.1\r\nHost: h\r\nX-Api-Key: $K\r\n\r\n"),
    "as a version": whole(b"GET $P $K/1.1\r\nHost: h\r\nX-Api-Key: $K\r\n\r\n"),
    "in a version": whole(b"GET $P HTTP/2.0\r\nHost: h\r\nX-Api-Key: $K\r\n\r\n"),
    "as a length": whole(_START + b"Content-Length: $K\r\nX-Api-Key: $K\r\n\r\n"),
    "as a coding": whole(_START + b"Transfer-Encoding: $K\r\nX-Api-Key: $K\r\n\r\n"),
    "nothing else": whole(b"$K\r\n\r\n"),
    "half a head": whole(_START + b"X-Api-Key: $K"),
    "half a field": whole(_START + b"X-Api-Key: $K\r\nX-Note"),
    "after garbage": whole(b"\x00\x01X-Api-Key: $K\r\n\r\n"),
    "before garbage": whole(_START + b"X-Api-Key: $K\r\n\r\n\x00$K\r\n\r\n"),
    "too many fields": whole(_START + b"X-Api-Key: $K\r\n" + b"X: y\r\n" * 4000 + b"\r\n"),
    "too large a field": whole(_START + b"X-Api-Key: " + b"$K" * 2000 + b"\r\n\r\n"),
    "too large a field of another name": whole(_START + b"X-Api-Key: $K\r\nX-Note: " + b"$K" * 2000 + b"\r\n\r\n"),
    "too long a URL": whole(b"GET $P?X-Api-Key=$K&a=" + b"$K" * 2000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"),
    "too large a body": whole(b"POST $P HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\nX-Api-Key: $K\r\n\r\n"),
    "method not allowed": whole(b"DELETE $P HTTP/1.1\r\nHost: h\r\nX-Api-Key: $K\r\n\r\n"),
    "HEAD": whole(b"HEAD $P?X-Api-Key=$K HTTP/1.1\r\nHost: h\r\n\r\n"),
    "dot segments": whole(b"GET $P/../?X-Api-Key=$K HTTP/1.1\r\nHost: h\r\n\r\n"),
    "HTTP/0.9": whole(b"GET $P?X-Api-Key=$K\r\n"),
    "TLS": whole(b"\x16\x03\x01X-Api-Key: $K\r\n\r\n"),
}

SHOWN: dict[str, Place] = {
    "path": lambda path, key: head(b"GET %b/%b HTTP/1.1" % (path, key), b"X-Api-Key: " + key),
    "path, escaped": lambda path, key: head(b"GET %b/%b HTTP/1.1" % (path, escaped(key)), b"X-Api-Key: " + key),
    "path, escaped twice": lambda path, key: head(b"GET %b/%b HTTP/1.1" % (path, twice(key)), b"X-Api-Key: " + key),
    "path, key in the query": lambda path, key: head(b"GET %b/%b?X-Api-Key=%b HTTP/1.1" % (path, key, key)),
    "another parameter": lambda path, key: head(b"GET %b?note=%b HTTP/1.1" % (path, key), b"X-Api-Key: " + key),
    "a URL as another parameter": ordinary_and(b"?next=/a%3Fb%26X-Api-Key=$K"),
    "Authorization, no key": field(b"Authorization: Bearer $K"),
    "Cookie, no key": field(b"Cookie: key=$K"),
    "body, JSON": lambda path, key: posted(path, key, b"application/json", b'{"note": "%b"}' % key),
    "body, JSON, broken": lambda path, key: posted(path, key, b"application/json", b"{'note': %b" % key),
    "body, form": lambda path, key: posted(path, key, b"application/x-www-form-urlencoded", b"a=%b&b" % escaped(key)),
    "body, form, escaped twice": lambda path, key: posted(
        path, key, b"application/x-www-form-urlencoded", b"a=%b" % twice(key)
    ),
    "body, cut off in the key": lambda path, key: posted(
        path, key, b"application/json", b'["%b%b' % (b"a" * 4070, key)
    ),
    "body": lambda path, key: (
        head(b"POST %b HTTP/1.1" % path, b"X-Api-Key: " + key, b"Content-Length: %d" % len(key)) + key
    ),
}
"""Where a client shows its key to the backend on purpose. It arrives as it was sent, and nobody else sees it."""


def leaks(data: bytes) -> bool:
    """Whether a secret stands in `data`, up to three times percent-encoded, or its hash."""
    for _ in range(4):
        if MARK in data.lower():
            return True
        data = unquote_to_bytes(data)
    return any(hashlib.sha256(secret).hexdigest().encode() in data for secret in SECRETS.values())


def excerpt(data: bytes) -> bytes:
    at = max(0, unquote_to_bytes(data).lower().find(MARK))
    return data[max(0, at - 150) : at + 150]
