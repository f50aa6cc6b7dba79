"""Decides which response header fields are forwarded to a client, and which describe a body that has changed.

Laws: RFC 9110 7.6.1 (fields meant for one hop, and every field that Connection names, are not forwarded); the framing
is the edge's; what limits a caller, and the id of the exchange, can only come from the gateway; a validator or digest
of a body says nothing of the envelope around it. A reply to a key is for its caller: no cache gives it to another one.
"""

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from gateway.kernel.copies import replace
from gateway.kernel.envelope.media_type import JSON, media
from gateway.kernel.errors.sanitize import fit
from gateway.kernel.faults import UPSTREAM_PROTOCOL_ERROR, GatewayError
from gateway.kernel.http.link_fields import safe_links
from gateway.kernel.memo import Memo

BackendFields: TypeAlias = list[tuple[bytes, bytes]]
"""The fields of a service as received, with names in lower case."""

Line: TypeAlias = tuple[str, str]

JSON_TYPE: Line = ("Content-Type", "application/json")

NOTICE, LOCATION, SHARED = 1, 2, 4
"""Marks of a reply: it has a notice, a location, or a rule for caches."""

_TYPE, _CODING, _CONNECTION, _ENTITY_TAG, _BODY, _REQUEST_ID = range(6)

_DROPPED = (
    b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authentication-info", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"http2-settings", b"content-length", b"date", b"ratelimit", b"ratelimit-policy",
    b"alt-svc",  # another way to the backend, not to the gateway
    b"x-debug-exception", b"x-debug-exception-file",  # Symfony's, for its developers
)  # fmt: skip
_OF_THE_BODY = (b"content-md5", b"digest", b"content-digest", b"repr-digest", b"content-range", b"accept-ranges")
_PASSED = (
    "Accept-CH", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Age", "Allow",
    "Content-Disposition", "Content-Language", "Content-Security-Policy", "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy", "Expires", "Last-Modified", "Permissions-Policy", "Pragma",
    "Proxy-Status", "Referrer-Policy", "Retry-After", "Server", "Server-Timing", "Strict-Transport-Security", "Via",
    "WWW-Authenticate", "X-Content-Type-Options", "X-Correlation-Id", "X-Frame-Options", "X-Powered-By",
    "X-XSS-Protection",
)  # fmt: skip
_MARKED = {
    **dict.fromkeys(("Deprecation", "Sunset", "Warning"), NOTICE),
    **dict.fromkeys(("Location", "Content-Location", "Refresh", "Link", "Set-Cookie"), LOCATION),
    # URLs that clients go on to call with their key: long-running operations, uploads, pages that are exchanged in part
    **dict.fromkeys(
        ("Operation-Location", "Azure-AsyncOperation", "X-Goog-Upload-URL", "X-Goog-Upload-Control-URL"), LOCATION
    ),
    **dict.fromkeys(
        ("HX-Location", "HX-Redirect", "HX-Push-Url", "HX-Replace-Url", "Turbo-Location", "X-Inertia-Location"),
        LOCATION,
    ),
    **dict.fromkeys(
        ("Vary", "Cache-Control", "CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control"), SHARED
    ),
}

Rule: TypeAlias = str | int | tuple[str, int] | None
"""What to do with a field: pass it on by this name (alone, or with a mark), drop it (None), or one of the above."""

_RULES: dict[bytes, Rule] = {
    **{name.lower().encode(): name for name in _PASSED},
    **dict.fromkeys(_DROPPED),
    **dict.fromkeys(_OF_THE_BODY, _BODY),
    **{name.lower().encode(): (name, mark) for name, mark in _MARKED.items()},
    b"content-type": _TYPE,
    b"content-encoding": _CODING,
    b"connection": _CONNECTION,
    b"etag": _ENTITY_TAG,
    b"x-request-id": _REQUEST_ID,
}
_READ = (_TYPE, _CODING, _CONNECTION, _REQUEST_ID)
"""Rules of fields that are read here in any case."""
_REMEMBERED, _REMEMBERED_HEADS = 1024, 128

_RANGES = frozenset({b"content-range", b"accept-ranges"})
_BYTES_UNIT = re.compile(rb"\s*bytes\b", re.IGNORECASE)
"""Ranges in other units are a service's own pages, and not parts of a body."""

_SCRIPT_URL = re.compile(r"(?:\A|[=;,'\"])\s*(?:javascript|vbscript|data):", re.IGNORECASE)

_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""RFC 9110, 5.5: no control characters but the tab in a field value."""
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLAIN_CONNECTION = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"Close"})


class FieldRules(Memo[bytes, Rule]):
    """Says for each field of a reply, by its name in lower case, what to do with it.

    Those named in `removed` do not go on; a name with `*` at its end stands for all that begin so. A dict that fills
    itself, up to a bound: a name that was seen before costs one look-up. `added_text` are header lines that follow
    those of a service, where no stage looks at any of them; None where one does.
    """

    __slots__ = ("_dropped", "added_text", "screened")

    def __init__(self, removed: Iterable[str] = (), added_text: str | None = None) -> None:
        self.added_text = added_text
        names = [name.lower().encode() for name in removed]
        self._dropped = tuple(name[:-1] for name in names if name.endswith(b"*"))
        exact = frozenset(name for name in names if not name.endswith(b"*"))
        known: dict[bytes, Rule] = {
            name: None if rule not in _READ and (name in exact or name.startswith(self._dropped)) else rule
            for name, rule in _RULES.items()
        }
        known.update(dict.fromkeys(exact.difference(_RULES)))
        super().__init__(_REMEMBERED, known)
        self.screened: Memo[int, tuple[BackendFields, Screened]] = Memo(_REMEMBERED_HEADS)
        """What `screen` made of shared fields, by their identity, together with them."""

    def __missing__(self, name: bytes) -> Rule:
        """Find the rule of a field. Raises GatewayError UPSTREAM_PROTOCOL_ERROR for a malformed name."""
        if not name or name.translate(None, _TOKEN):
            raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="control character in a header field")
        dropped = name.startswith((b"x-ratelimit-", *self._dropped))
        return self.keep(name, None if dropped else name.decode("latin-1"))


class Screened(msgspec.Struct, frozen=True, gc=False):
    """The fields of one reply, sorted out. Replies may share it, so nobody changes its lists.

    `lines` begin with the envelope's Content-Type and hold what goes on in any case; `of_the_body` only goes on with a
    body that stays as it is. `marks` are those of the fields that go on. `text` are `lines` and the `added_text` of
    their rules, CR and LF behind each, for fields that several replies share, that are the same whatever the request
    and its body, and that say that the body is JSON in UTF-8 without a content coding; "" for others.
    """

    lines: list[Line]
    of_the_body: list[Line]
    content_type: bytes
    coding: bytes
    marks: int
    request_id: str | None
    text: str = ""

    @property
    def notices(self) -> bool:
        """Whether there are fields for `gateway.kernel.envelope.header_messages`."""
        return bool(self.marks & NOTICE)

    @property
    def is_range(self) -> bool:
        """Whether a 206 is a range of bytes (RFC 9110, 14.4 and 15.3.7.2).

        Ranges in other units are whole bodies of their own.
        """
        return self.content_type[:20].lower() == b"multipart/byteranges" or any(
            name == "Content-Range" for name, _ in self.of_the_body
        )


def as_text(lines: Iterable[Line]) -> str:
    """Return header lines as text, CR and LF behind each."""
    return "".join([f"{name}: {value}\r\n" for name, value in lines])


def as_lines(text: str) -> list[Line]:
    """Return what `as_text` made `text` of."""
    pairs = [line.partition(": ") for line in text.split("\r\n")[:-1]]
    return [(name, value) for name, _, value in pairs]


def screen(fields: BackendFields, rules: FieldRules, *, shared: bool = False) -> Screened:
    """Sort out `fields` by `rules`. The result is remembered for fields that are `shared` with other replies.

    Raises GatewayError UPSTREAM_PROTOCOL_ERROR for what is no field.
    """
    if not shared:
        return _screen(fields, rules)
    known = rules.screened.get(id(fields))
    if known is None or known[0] is not fields:
        screened = _screen(fields, rules)
        varies = screened.marks or screened.of_the_body or screened.coding
        if rules.added_text is not None and not varies and media(screened.content_type) is JSON:
            screened = replace(screened, text=as_text(screened.lines) + rules.added_text)
        known = rules.screened.keep(id(fields), (fields, screened))
    return known[1]


def _screen(fields: BackendFields, rules: FieldRules) -> Screened:  # noqa: PLR0912 - one branch for each kind of field
    lines = [JSON_TYPE]
    of_the_body: list[Line] = []
    content_type = coding = named = b""
    marks = 0
    request_id = None
    for name, value in fields:
        rule = rules[name]
        if rule is None:
            continue
        if rule.__class__ is str:
            text = value.decode("latin-1")
            if not text.isprintable() and _FORBIDDEN.search(text):
                raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="control character in a header field")
            lines.append((rule, text))
        elif rule == _TYPE:
            content_type = content_type or value
        elif rule == _CONNECTION:
            if value not in _PLAIN_CONNECTION:
                named += b"," + value
        elif rule == _CODING:
            coding = coding + b"," + value if coding else value
        else:
            text = value.decode("latin-1")
            if _FORBIDDEN.search(text):
                raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="control character in a header field")
            if rule == _REQUEST_ID:
                request_id = text
            elif rule == _BODY and name in _RANGES and not _BYTES_UNIT.match(value):
                lines.append((name.decode("latin-1"), text))
            elif rule == _BODY:
                of_the_body.append((name.decode("latin-1").title(), text))
            elif rule == _ENTITY_TAG:
                of_the_body.append(("ETag", text))
            else:
                assert isinstance(rule, tuple)
                spelled, mark = rule
                marks |= mark
                if (shown := _shown(name, mark, text)) is not None:
                    lines.append((spelled, shown))
    if named:
        lines, of_the_body = _unnamed(lines, named), _unnamed(of_the_body, named)
    return Screened(lines, of_the_body, content_type, coding, marks, request_id)


def _shown(name: bytes, mark: int, text: str) -> str | None:
    """Return a marked field as it may be shown, None if not at all.

    It runs nothing in a browser, and a notice reveals nothing about the service.
    """
    if mark == NOTICE:
        return text if fit(text) == text else None
    if name == b"link":
        return safe_links(text) or None
    if mark == LOCATION and name != b"set-cookie" and _SCRIPT_URL.search(text):
        return None
    return text


def checked(value: bytes) -> str:
    """Return a field value as text. Raises GatewayError UPSTREAM_PROTOCOL_ERROR for control characters."""
    text = value.decode("latin-1")
    if not text.isprintable() and _FORBIDDEN.search(text):
        raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="control character in a header field")
    return text


def replaced(lines: list[Line], by: tuple[Line, ...]) -> list[Line]:
    """Return `lines`, with those of `by` in place of all that have the same name."""
    names = {name.lower() for name, _ in by}
    return [line for line in lines if line[0].lower() not in names] + list(by)


def rewritten(fields: BackendFields, rewrite: Callable[[str, str], str]) -> BackendFields:
    """Return `fields` with those that may send a client elsewhere replaced by `rewrite(name in lower case, value)`."""
    return [
        (
            name,
            rewrite(name.decode("latin-1"), value.decode("latin-1")).encode("latin-1")
            if _is_location(_RULES.get(name))
            else value,
        )
        for name, value in fields
    ]


def _is_location(rule: Rule) -> bool:
    return isinstance(rule, tuple) and rule[1] == LOCATION


def value_of(lines: list[Line], name: str) -> str | None:
    """Return the first value of a field; None when there is none. `name` in lower case."""
    for candidate, value in lines:
        if candidate.lower() == name:
            return value
    return None


def _unnamed(lines: list[Line], options: bytes) -> list[Line]:
    names = set(map(str.strip, options.decode("latin-1").lower().split(","))) - {"content-type"}
    return [line for line in lines if line[0].lower() not in names]
