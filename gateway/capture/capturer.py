"""Captures exchanges that failed, for the operator: header fields and the start of bodies, without secrets.

Laws: it runs for chosen exchanges only, after the reply. Header fields that never hold a secret are shown, of others
the name. What the request shows as a credential is masked wherever else it stands.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence

import msgspec

from gateway.capture.body_redaction import HIDDEN, BodyRedaction, kind_of
from gateway.capture.captures import Capture, CapturedBody, CapturedMessage, Captures, CaptureSummary
from gateway.capture.known_secrets import LONGEST_BYTES, KnownSecrets
from gateway.exchange import Exchange, ShowPath
from gateway.kernel.faults import KEY_AMBIGUOUS
from gateway.kernel.http.key_scrubbing import fold
from gateway.observe.instruments import method_label
from gateway.upstream.call import Answer

SHOWN_FIELDS = frozenset(
    (
        *("accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "age", "allow"),
        *("cache-control", "connection", "content-disposition", "content-encoding", "content-language"),
        *("content-length", "content-range", "content-type", "date", "expect", "expires", "if-modified-since"),
        *("if-unmodified-since", "keep-alive", "last-modified", "pragma", "range", "retry-after", "server", "te"),
        *("trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "www-authenticate"),
    )
)
"""Header fields whose values are shown."""
_CREDENTIALS = frozenset(("authorization", "proxy-authorization"))
_MOST_FIELDS, _LONGEST_NAME, _LONGEST_VALUE, _LONGEST_QUERY = 64, 64, 256, 2048
_SHARES = 1 << 32
_GZIP_OR_ZLIB = 47
"""The value of wbits with which zlib recognises either format."""


class CaptureRules(msgspec.Struct, frozen=True):
    """Which exchanges are captured: `on` are statuses, classes of them (`5xx`) and names of faults.

    `share` of those, from 0 to 1, is captured, with `body_bytes` of each body. `redact` are names of fields and paths
    in JSON that are masked, `key_names` the header and query fields of keys. At most `max_per_second` are captured, so
    that a service that always fails does not keep the gateway busy with it.
    """

    on: Sequence[str]
    share: float
    body_bytes: int
    redact: Sequence[str]
    key_names: Sequence[str]
    max_per_second: int = 20


class Capturer:
    """Captures by `rules` into `captures`. `wall` reads Unix time, in seconds."""

    def __init__(self, rules: CaptureRules, captures: Captures, wall: Callable[[], float]) -> None:
        self._on = frozenset(rules.on)
        self._below = rules.share * _SHARES
        self._body_bytes = rules.body_bytes
        self._redaction = BodyRedaction(rules.redact, rules.key_names)
        self._key_names = frozenset(map(fold, rules.key_names)) | _CREDENTIALS
        self._captures = captures
        self._max_per_second = rules.max_per_second
        self._second = self._in_second = 0
        self._wall = wall
        self.kept_bytes = rules.body_bytes + LONGEST_BYTES

    def __call__(self, x: Exchange, status: int, show_path: ShowPath) -> None:
        """Capture `x` if it is one of those that are asked for, and of the share of them."""
        fault = "" if x.error is None else x.error.fault.name
        if self._on.isdisjoint((str(status), f"{status // 100}xx", fault)):
            return
        if int(x.request_id[:8], 16) >= self._below:  # the id is random
            return
        now_s = self._wall()
        if self._second != int(now_s):
            self._second, self._in_second = int(now_s), 0
        if self._in_second < self._max_per_second:
            self._in_second += 1
            self._captures.keep(self._capture(x, status, fault, now_s, show_path))

    def _capture(self, x: Exchange, status: int, fault: str, now_s: float, show_path: ShowPath) -> Capture:
        caller = x.caller
        summary = CaptureSummary(
            at=now_s,
            request_id=x.request_id,
            trace_id=x.trace_id,
            status=status,
            method=method_label(x.method),
            outcome=x.outcome,
            code=(0 if x.reply is None else x.reply.code) or None,
            route=None if x.route is None else x.route.id,
            reason=fault or None,
            key_id=None if caller is None else caller.id or None,
            organization=None if caller is None else caller.organization,
        )
        fields = x.headers.raw
        held = [value.decode("utf-8", "surrogateescape") for name, value in fields if self._holds_key(name)]
        secrets = KnownSecrets([*x.keys, *held])
        if x.head_error is not None or fault == KEY_AMBIGUOUS.name or not secrets.is_complete:
            return Capture(summary, CapturedMessage([]))  # there are more secrets than are known
        path, masked = show_path(x), secrets.mask(self._redaction.form(x.query).encode("utf-8", "replace"))
        request = CapturedMessage(self._fields(fields, secrets), self._request_body(x, secrets))
        return Capture(
            summary,
            request,
            path=None if path is None else secrets.mask(path.encode("utf-8", "replace")),
            query=masked[:_LONGEST_QUERY] if masked else None,
            answer=None if x.answer is None else self._answer(x.answer, secrets),
        )

    def _holds_key(self, name: bytes) -> bool:
        return fold(name.decode("latin-1")) in self._key_names

    def _answer(self, answer: Answer, secrets: KnownSecrets) -> CapturedMessage:
        named = {name: value.decode("latin-1") for name, value in answer.fields}
        length = answer.length
        if length is None and answer.stream is None and len(answer.body) != self.kept_bytes:
            length = len(answer.body)
        about = (named.get(b"content-type", ""), named.get(b"content-encoding", ""))
        body = self._body(answer.body, length, *about, secrets) if answer.body or length else None
        return CapturedMessage(self._fields(answer.fields, secrets), body, answer.status, answer.target)

    def _request_body(self, x: Exchange, secrets: KnownSecrets) -> CapturedBody | None:
        if x.body is None:
            return None
        about = (x.headers.get("content-type") or "", x.headers.get("content-encoding") or "")
        length = x.body.length
        if x.body_start is None:
            return CapturedBody(self._type(about[0], secrets), length, withheld="unread")
        if length is None and x.body.received == len(x.body_start):
            length = x.body.received
        return self._body(x.body_start, length, *about, secrets)

    def _body(
        self, body: bytes, length: int | None, content_type: str, coding: str, secrets: KnownSecrets
    ) -> CapturedBody:
        shown_type, kind = self._type(content_type, secrets), kind_of(content_type)
        if kind is None:
            return CapturedBody(shown_type, length, withheld="type")
        start = _decoded(body[: self.kept_bytes], coding.strip().lower(), self.kept_bytes)
        if start is None or b"\0" in start:  # UTF-16, or not what it is said to be
            return CapturedBody(shown_type, length, withheld="coding")
        masked = secrets.mask(start)
        if masked is None:
            return CapturedBody(shown_type, length, withheld="secret")
        text = self._redaction.of(kind, masked[: self._body_bytes])
        cut = length is None or len(start) > self._body_bytes or (not coding and len(body) < length)
        return CapturedBody(shown_type, length, text, cut)

    def _type(self, content_type: str, secrets: KnownSecrets) -> str | None:
        return secrets.mask(content_type.encode("utf-8", "replace")[:_LONGEST_VALUE]) or None

    def _fields(self, fields: Iterable[tuple[bytes, bytes]], secrets: KnownSecrets) -> list[tuple[str, str]]:
        shown: list[tuple[str, str]] = []
        for raw_name, raw_value in [*fields][:_MOST_FIELDS]:
            name = secrets.mask(raw_name.lower()[:_LONGEST_NAME]) or HIDDEN
            value = None
            if name in SHOWN_FIELDS and not self._redaction.is_secret(name):
                value = secrets.mask(raw_value[:_LONGEST_VALUE])
            shown.append((name, HIDDEN if value is None else value))
        return shown


def _decoded(body: bytes, coding: str, most_bytes: int) -> bytes | None:
    """Return the start of a body without its content coding, None if that cannot be undone."""
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        return None
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, most_bytes)
    except zlib.error:
        return None
