"""Parses the replies of one connection, one after the other. No I/O: it is fed bytes and gives a reply or a fault.

Laws:
 - A reply is complete only if its framing announced its end and it ended there (RFC 9112 8).
 - Any number of interim (1xx) replies may precede it (RFC 9110 15.2 sets no limit): each is bounded like a head, none
   is kept, and the time-out until the final head ends an endless sequence of them.
"""

import httptools

from gateway.kernel.faults import UPSTREAM_HEADERS_TOO_LARGE, UPSTREAM_PROTOCOL_ERROR, Fault, GatewayError
from gateway.upstream.call import Fields
from gateway.upstream.http1 import framing

_HEAD_SLICE_BYTES = 16 * 1024
_BLANK = b"\r\n\r\n"


class ResponseParser:
    """`status` is 0 until the final head is complete; after that `fields` and `length` are those of `Answer`.

    `received` counts the bytes since `begin`, and `may_be_known` says that there are none, and that such as were parsed
    earlier may be recognised. `complete`: the reply has ended. `clean`: nothing followed it. `keep`: its sender keeps
    the connection open. `until_eof`: its body ends with the connection. `ambiguous`: by its method or its status it has
    no body, but it announces one, or the reply to another method than HEAD would have one. Such a body may follow at
    any time, when the next call may be under way, whose reply it would be taken for.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.on_body = self._parts.append
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = False
        self.may_be_known = True
        self._reset()

    def begin(self, *, head_only: bool) -> None:
        """Expect the next reply.

        `head_only` is for the reply to HEAD, which has no body whatever its fields announce.
        """
        if self._head_only or self._is_counted:
            # llhttp still waits for the body that the last reply announced.
            self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        if self.received:
            self._reset()
        self.may_be_known = not head_only

    def _reset(self) -> None:
        self._tail = b""
        self._collected: Fields = []
        self._problem: GatewayError | None = None
        self._interim = False
        self._head_from = self._overhead = 0
        self.status = self.received = 0
        self.fields: Fields = []
        self.length: int | None = None
        self.idle_hint_s: float | None = None
        self.complete = self.keep = self.until_eof = self.ambiguous = False
        self.clean = True
        self._begun: list[bytes] = []
        self._interim_ended = False
        self._is_counted, self.missing = False, 0

    def feed(self, data: bytes) -> None:
        """Parse `data`.

        Raises GatewayError (UPSTREAM_PROTOCOL_ERROR, UPSTREAM_HEADERS_TOO_LARGE) when it cannot be a reply.
        """
        received = self.received
        if self._is_counted:
            self._parts.append(data[: self.missing])
            self.count(len(data))
            return
        self.received = received + len(data)
        self.may_be_known = False
        # The usual first segment passes the cheap test; only others need the exact one.
        if received < 9 and (received or not data.startswith(b"HTTP/1.1 ")) and framing.starts_wrong(received, data):
            raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="the reply does not begin with an HTTP/1.x status line")
        try:
            self._parse(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._parse_repaired(data, error)
        if self._problem is not None:
            raise self._problem
        if not self.complete:
            self._check_sizes(data)
            if self.status and self.length is not None:
                self._is_counted, self.missing = True, self.length - sum(map(len, self._parts))

    def count(self, size: int) -> None:
        """Note that `size` further bytes of a body whose length is known have arrived. There is nothing to parse."""
        self.received += size
        self.missing -= size
        if self.missing <= 0:
            self.clean = self.clean and not self.missing
            self.complete = True
            self.keep = self._parser.should_keep_alive()

    def _parse(self, data: bytes) -> None:
        if self._head_only:
            self._feed_heads(data)
        elif self.status or len(data) <= _HEAD_SLICE_BYTES:
            self._parser.feed_data(data)
        else:
            self._feed_slices(data)

    def _parse_repaired(self, data: bytes, error: Exception) -> None:
        """Parse a head that llhttp rejects again, repaired where RFC 9112 defines how.

        `data` is the last received part of it.
        """
        begun = b"".join([*self._begun, data])
        repaired = begun if self.status or self.complete else framing.repaired(begun)
        if repaired != begun:
            self._parser = httptools.HttpResponseParser(self)
            self._parts.clear()
            self._collected, self._tail, self._begun = [], b"", []
            self._problem = None
            try:
                self._parse(repaired)
                return
            except (httptools.HttpParserError, httptools.HttpParserUpgrade) as second:
                error = second
        self.clean = False
        if not self.complete and self._problem is None:
            raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause=f"the reply is not valid HTTP: {error}") from None

    def end(self) -> bool:
        """Note that the connection has ended cleanly. Return whether that completes the reply."""
        self.complete = self.complete or self.until_eof
        return self.complete

    def end_of_use(self) -> None:
        """Drop the parser, after which nothing may be fed.

        It refers to this object, which is freed at once without it.
        """
        del self._parser

    def take(self) -> bytes:
        """Return the body bytes that were parsed since the last call."""
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
        """Parse in slices: a head of thousands of fields is rejected before an object is made of each.

        What follows the head is one slice, so that the body that is in it is one piece.
        """
        view = memoryview(data)
        at = 0
        while at < len(data):
            blank = data.find(_BLANK, at, at + _HEAD_SLICE_BYTES)
            end = at + _HEAD_SLICE_BYTES if blank < 0 else blank + len(_BLANK)
            self._parser.feed_data(view[at:end])
            if self.status:
                self._parser.feed_data(view[end:])
                return
            if self._problem is not None or len(self._collected) > framing.MAX_FIELDS:
                return
            at = end

    def _feed_heads(self, data: bytes) -> None:
        start = len(self._tail)
        seen = self._tail + data
        while start < len(seen) and not self.status:
            blank = seen.find(_BLANK, max(0, start - 3))
            stop = blank + 4 if blank >= 0 else len(seen)
            self._parser.feed_data(seen[start:stop])
            start = stop
        self._tail = seen[-3:]
        if self.status:
            self.complete = True
            self.clean = start == len(seen)
            self.keep = framing.keeps_alive(self._parser.get_http_version(), self.fields)

    def _remember(self, data: bytes) -> None:
        """Keep the beginning of the incomplete head. What preceded it will not be parsed again."""
        if self._interim_ended:
            data = b"".join([*self._begun, data]).rpartition(_BLANK)[2]
            self._begun.clear()
            self._interim_ended = False
        self._begun.append(data)

    def _check_sizes(self, data: bytes) -> None:
        if not self.status:
            self._remember(data)
            if self.received - self._head_from > framing.MAX_HEAD_BYTES or len(self._collected) > framing.MAX_FIELDS:
                raise GatewayError(UPSTREAM_HEADERS_TOO_LARGE, cause="the reply's head is too large")
        elif self._parts:
            # The framing of these bytes is done. A stream may continue for ever in the smallest chunks.
            self._overhead = 0
        else:
            # Chunk extensions and trailers are dropped, and nothing else bounds them.
            self._overhead += len(data)
            if self._overhead > framing.MAX_HEAD_BYTES:
                raise GatewayError(
                    UPSTREAM_PROTOCOL_ERROR, cause="the reply's chunk extensions or trailers are too large"
                )

    def _report(self, fault: Fault, cause: str) -> None:
        # An exception raised here would reach `feed` wrapped, and would cost a traceback.
        if self._problem is None:
            self._problem = GatewayError(fault, cause=cause)

    # Called by httptools

    def on_message_begin(self) -> None:
        if self.complete:
            # End the parsing: no part of a second reply may be taken for a part of the first one.
            raise ValueError("unasked reply")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._collected.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        fields = self._collected
        # Fields after the head are trailers, which a gateway may drop (RFC 9110 6.5.1).
        self._collected = []
        if status < 200 or status > 599:
            self._not_final(status)
            return
        # `feed` has checked the start of the first head.
        if self._interim and self._parser.get_http_version() not in ("1.1", "1.0"):
            self._report(UPSTREAM_PROTOCOL_ERROR, "the reply is not in HTTP/1.x")
        known = dict(fields)
        if b"content-length" in known:
            self.length = int(known[b"content-length"])
        elif b"transfer-encoding" in known:
            if not framing.codings_supported(fields, self._parser.get_http_version()):
                self._report(UPSTREAM_PROTOCOL_ERROR, "the reply's transfer coding is not exactly chunked")
        else:
            self.until_eof = not framing.bodiless(status)
        if framing.bodiless(status):
            self.ambiguous = bool(self.length) or b"transfer-encoding" in known
        elif self._head_only:
            self.ambiguous = self.length != 0
        if b"keep-alive" in known:
            self.idle_hint_s = framing.announced_idle_s(known[b"keep-alive"])
        if len(fields) > framing.MAX_FIELDS or (
            self.received > framing.MAX_HEAD_BYTES and framing.head_size(fields) > framing.MAX_HEAD_BYTES
        ):
            self._report(UPSTREAM_HEADERS_TOO_LARGE, "the reply's head is too large")
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
            self._report(UPSTREAM_PROTOCOL_ERROR, "the upstream switched protocols unasked")
        elif status < 100 or status > 599:
            self._report(UPSTREAM_PROTOCOL_ERROR, f"status {status:03d} is none of HTTP's")
