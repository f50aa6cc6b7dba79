"""Request header fields on their way to an upstream: which go on, which stay here.

Laws: RFC 9110 7.6.1 (fields meant for one hop, and every field that Connection names, are not forwarded);
what the gateway says about a caller can only come from the gateway; a field that some backends obey instead of
the request line or the peer address is a second request line, and never comes from a client.
"""

from collections.abc import Iterable

HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"http2-settings",
})  # fmt: skip
"""Meant for one hop. Lower case."""

FRAMING = frozenset({b"content-length", b"expect", b"host"})
"""Said anew by the upstream leg."""

STEERING = frozenset({
    b"x-original-url", b"x-rewrite-url", b"x-original-uri", b"x-original-host", b"x-original-method", b"x-host", b"x-http-host-override",
    b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-method",
    b"true-client-ip", b"x-client-ip", b"x-real-ip", b"x-cluster-client-ip", b"cf-connecting-ip", b"fastly-client-ip", b"x-originating-ip",
    b"x-remote-ip", b"x-remote-addr", b"x-proxyuser-ip", b"proxy-client-ip", b"wl-proxy-client-ip", b"client-ip", b"remote-user",
    b"x-remote-user", b"x-anonymous-consumer", b"proxy", b"forwarded",
    b"x-original-forwarded-for", b"x-scheme", b"x-url-scheme", b"front-end-https",
})  # fmt: skip
"""Obeyed by some backends in place of the request line or of the peer address."""

STEERING_PREFIXES = (b"x-forwarded-", b"x-consumer-", b"x-credential-", b"x-authenticated-", b"x-auth-request-", b"x-caller-")

_ALIKE = bytes.maketrans(b"!#$%&'*+.^_`|~", b"-" * 14)
_REMEMBERED = 1024


class FieldFilter(dict[bytes, bool]):
    """Says for each request field of a client, by its name as received, whether it goes to the upstream.

    A name with underscores, dots and the like counts as its twin with hyphens: CGI and WSGI backends cannot tell them apart. A dict that
    fills itself, up to a bound: a name that was seen before costs one look-up.
    """

    __slots__ = ("_drop",)

    def __init__(self, drop: Iterable[bytes]) -> None:
        super().__init__()
        self._drop = HOP_BY_HOP | FRAMING | STEERING | {name.lower().translate(_ALIKE) for name in drop}

    def __missing__(self, name: bytes) -> bool:
        plain = name.lower().translate(_ALIKE)
        if len(self) >= _REMEMBERED:
            self.clear()
        verdict = self[name] = plain not in self._drop and not plain.startswith(STEERING_PREFIXES)
        return verdict


def connection_options(values: Iterable[str]) -> frozenset[bytes]:
    """The field names that the Connection fields `values` declare hop-by-hop, in lower case."""
    named = ",".join(values).lower().encode("utf-8", "surrogateescape").split(b",")
    return frozenset(map(bytes.strip, named)) - {b""}
