"""Reads the replies of one connection, one after the other. No I/O: bytes in, a reply out, or a fault.

Laws:
 - A reply is whole only if its framing said where it ends and it ended there (RFC 9112 8).
 - Interim (1xx) replies before it are as many as their sender likes (RFC 9110 15.2 sets no number): each has the bounds of a head,
   none is kept, and the time-out until the final head ends an endless row of them.
"""

import httptools

from gateway.kernel.faults import UPSTREAM_HEADERS_TOO_LARGE, UPSTREAM_PROTOCOL_ERROR, Fault, GatewayError
from gateway.upstream import framing as framing
from gateway.upstream.call import Fields

_HEAD_SLICE_BYTES = 16 * 1024


class ReplyReader:
    """`status` is 0 until the final head is in; then `fields` and `length` are those of `Answer`.

    `received` counts bytes since `begin`. `complete` says that the reply has ended, `clean` that nothing came after
    it, `keep` that its sender keeps the connection. `until_eof`: its body ends with the connection. `in_doubt`: by its method or
    its status it has no body, and it says that it has one, or to HEAD that another method's reply has one. That may follow, however
    late: when it comes, the next call may be under way, whose reply it would be taken for.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.on_body = self._parts.append
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = False
        self.begin(head_only=False)

    def begin(self, head_only: bool) -> None:
        """Expect the next reply; with `head_only` one to HEAD, which has no body whatever its fields say."""
        if self._head_only:
            # llhttp still waits for the body that the last reply announced
            self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._tail = b""
        self._collected: Fields = []
        self._problem: GatewayError | None = None
        self._interim = False
        self._head_from = self._overhead = 0
        self.status = self.received = 0
        self.fields: Fields = []
        self.length: int | None = None
        self.idle_hint_s: float | None = None
        self.complete = self.keep = self.until_eof = self.in_doubt = False
        self.clean = True
        self._begun: list[bytes] = []
        self._interim_ended = False

    def feed(self, data: bytes) -> None:
        """Raises GatewayError (UPSTREAM_PROTOCOL_ERROR, UPSTREAM_HEADERS_TOO_LARGE) when it cannot be a reply."""
        received = self.received
        self.received = received + len(data)
        # The usual first segment passes the first test; only the others pay for an exact one
        if received < 9 and (received or not data.startswith(b"HTTP/1.1 ")) and framing.starts_wrong(received, data):
            raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="the reply does not begin with an HTTP/1.x status line")
        try:
            self._parse(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._try_mended(data, error)
        if self._problem is not None:
            raise self._problem
        if not self.complete:
            self._check_sizes(data)

    def _parse(self, data: bytes) -> None:
        if self._head_only:
            self._feed_heads(data)
        elif self.status or len(data) <= _HEAD_SLICE_BYTES:
            self._parser.feed_data(data)
        else:
            self._feed_slices(data)

    def _try_mended(self, data: bytes, error: Exception) -> None:
        """Parse a head that llhttp refuses once more, mended where RFC 9112 says how. `data` is the last of what has come of it."""
        begun = b"".join([*self._begun, data])
        mended = begun if self.status or self.complete else framing.mended(begun)
        if mended != begun:
            self._parser = httptools.HttpResponseParser(self)
            self._parts.clear()
            self._collected, self._tail, self._begun = [], b"", []
            self._problem = None
            try:
                self._parse(mended)
                return
            except (httptools.HttpParserError, httptools.HttpParserUpgrade) as second:
                error = second
        self.clean = False
        if not self.complete and self._problem is None:
            raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause=f"the reply is not valid HTTP: {error}") from None

    def end(self) -> bool:
        """The connection has ended, properly. Whether that is where the reply ends."""
        self.complete = self.complete or self.until_eof
        return self.complete

    def end_of_use(self) -> None:
        """No more is fed. The parser refers to this reader, which is freed at once without it."""
        del self._parser

    def take(self) -> bytes:
        """The body bytes that were fed since the last call."""
        parts = self._parts
        if len(parts) == 1:
            data = parts[0]
        elif parts:
            data = b"".join(parts)
        else:
            return b""
        parts.clear()
        return data

    def _feed_slices(self, data: bytes) -> None:
        """A head of thousands of fields is refused before all of them were made into objects."""
        for at in range(0, len(data), _HEAD_SLICE_BYTES):
            self._parser.feed_data(data[at : at + _HEAD_SLICE_BYTES])
            if self.status:
                self._parser.feed_data(data[at + _HEAD_SLICE_BYTES :])
                return
            if self._problem is not None or len(self._collected) > framing.MAX_FIELDS:
                return

    def _feed_heads(self, data: bytes) -> None:
        start = len(self._tail)
        seen = self._tail + data
        while start < len(seen) and not self.status:
            blank = seen.find(b"\r\n\r\n", max(0, start - 3))
            stop = blank + 4 if blank >= 0 else len(seen)
            self._parser.feed_data(seen[start:stop])
            start = stop
        self._tail = seen[-3:]
        if self.status:
            self.complete = True
            self.clean = start == len(seen)
            self.keep = framing.keeps_alive(self._parser.get_http_version(), self.fields)

    def _remember(self, data: bytes) -> None:
        """Keep the beginning of the head that is not whole yet: what came before it is parsed for good."""
        if self._interim_ended:
            data = b"".join([*self._begun, data]).rpartition(b"\r\n\r\n")[2]
            self._begun.clear()
            self._interim_ended = False
        self._begun.append(data)

    def _check_sizes(self, data: bytes) -> None:
        if not self.status:
            self._remember(data)
            if self.received - self._head_from > framing.MAX_HEAD_BYTES or len(self._collected) > framing.MAX_FIELDS:
                raise GatewayError(UPSTREAM_HEADERS_TOO_LARGE, cause="the reply's head is too large")
        elif self._parts:
            # What framed these bytes is behind us: a stream may go on for ever, in the smallest of chunks
            self._overhead = 0
        else:
            # Chunk extensions and trailers: nobody wants them, and nothing else bounds them
            self._overhead += len(data)
            if self._overhead > framing.MAX_HEAD_BYTES:
                raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="the reply's chunk extensions or trailers are too large")

    def _refuse(self, fault: Fault, cause: str) -> None:
        # An exception here would reach `feed` wrapped, and cost a traceback
        if self._problem is None:
            self._problem = GatewayError(fault, cause=cause)

    # Called by httptools

    def on_message_begin(self) -> None:
        if self.complete:
            # Ends the parsing: nothing of a second reply may be taken for a part of the first
            raise ValueError("unasked reply")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._collected.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        fields = self._collected
        # What comes after the head are trailers: RFC 9110 6.5.1 lets a gateway drop them
        self._collected = []
        if status < 200 or status > 599:
            self._not_final(status)
            return
        # The start of the first head was looked at in `feed`
        if self._interim and self._parser.get_http_version() not in ("1.1", "1.0"):
            self._refuse(UPSTREAM_PROTOCOL_ERROR, "the reply is not in HTTP/1.x")
        known = dict(fields)
        if b"content-length" in known:
            self.length = int(known[b"content-length"])
        elif b"transfer-encoding" in known:
            if not framing.codings_supported(fields, self._parser.get_http_version()):
                self._refuse(UPSTREAM_PROTOCOL_ERROR, "the reply's transfer coding is not exactly chunked")
        else:
            self.until_eof = not framing.bodiless(status)
        if framing.bodiless(status):
            self.in_doubt = bool(self.length) or b"transfer-encoding" in known
        elif self._head_only:
            self.in_doubt = self.length != 0
        if b"keep-alive" in known:
            self.idle_hint_s = framing.announced_idle_s(known[b"keep-alive"])
        if len(fields) > framing.MAX_FIELDS or (
            self.received > framing.MAX_HEAD_BYTES and framing.head_size(fields) > framing.MAX_HEAD_BYTES
        ):
            self._refuse(UPSTREAM_HEADERS_TOO_LARGE, "the reply's head is too large")
        self.fields = fields
        self.status = status

    def on_message_complete(self) -> None:
        if self.status:
            self.complete = True
            self.keep = self._parser.should_keep_alive()

    def _not_final(self, status: int) -> None:
        self._interim = self._interim_ended = True
        self._head_from = self.received
        if status == 101:
            self._refuse(UPSTREAM_PROTOCOL_ERROR, "the upstream switched protocols unasked")
        elif status < 100 or status > 599:
            self._refuse(UPSTREAM_PROTOCOL_ERROR, f"status {status:03d} is none of HTTP's")
