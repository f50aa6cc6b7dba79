"""The access line: one for every request, whatever became of it."""

from collections.abc import Callable

import msgspec

from gateway.kernel.timestamp import Timestamp
from gateway.observe.json_line import encoded
from gateway.observe.writer import Output

FIELD_NAMES = {
    "method": "http.request.method",
    "route": "http.route",
    "path": "url.path",
    "status": "http.response.status_code",
    "code": "gateway.code",
    "source": "gateway.source",
    "reason": "gateway.reason",
    "cause": "gateway.cause",
    "key_id": "gateway.key_id",
    "organization": "gateway.organization",
    "limiter_result": "gateway.limiter.result",
    "limiter_store": "gateway.limiter.store",
    "limiter_remaining": "gateway.limiter.remaining",
    "limiter_shadows": "gateway.limiter.shadows",
    "request_faults": "gateway.request.faults",
    "limiter_spent": "gateway.limiter.spent",
    "total_ms": "gateway.duration.total_ms",
    "upstream_ms": "gateway.duration.upstream_ms",
    "client_ms": "gateway.duration.client_ms",
    "overhead_ms": "gateway.duration.overhead_ms",
    "request_bytes": "http.request.body.size",
    "response_bytes": "http.response.body.size",
    "cache_result": "gateway.cache.result",
    "cache_age_s": "gateway.cache.age_s",
    "idempotency": "gateway.idempotency",
    "hedge": "gateway.upstream.hedge",
    "coding": "gateway.compression.coding",
    "saved_bytes": "gateway.compression.saved_bytes",
    "target": "server.address",
    "client": "client.address",
    "outcome": "gateway.outcome",
}
"""The names of fields in a line by those in a record: OpenTelemetry's, where it has one.

https://opentelemetry.io/docs/specs/semconv/registry/attributes/
"""


class AccessRecord(msgspec.Struct, gc=False, omit_defaults=True, rename=FIELD_NAMES, tag_field="event", tag="request"):
    """The access record of one request. A field that is None is left out.

    Give the fields by position, in this order: msgspec takes 0.15 µs for that, and 0.8 for as many names. `timestamp`
    is left empty: `AccessLog.write` fills it in. `code` is the contract's, None for a success; `reason`
    the name of the fault and `cause` what is known about it. `total_ms` is `upstream_ms`, `client_ms` and `overhead_ms`
    together: what waiting for the upstream took and for the client, and what the gateway itself did. `limiter_shadows`
    names the limits in shadow mode that would have refused it, `limiter_spent` the quotas that did. `request_faults`
    counts what is wrong with it by the contract of its route. `target` is the upstream's address. `coding` is the
    content coding in which the gateway has compressed the body, which has made it `saved_bytes` shorter.
    `cache_result` is how the cache took part, `cache_age_s` the age of what it gave.
    `idempotency` says of a call with an idempotency key whether it is the first one, or got the reply to that. `hedge`
    says which of two attempts has answered, where the first target was slow.
    """

    timestamp: str = ""
    level: str = ""
    request_id: str = ""
    method: str = ""
    route: str | None = None
    status: int = 0
    source: str | None = None
    outcome: str | None = None
    total_ms: float | None = None
    upstream_ms: float | None = None
    client_ms: float | None = None
    overhead_ms: float | None = None
    request_bytes: int | None = None
    response_bytes: int | None = None
    client: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    key_id: str | None = None
    organization: str | None = None
    limiter_result: str | None = None
    limiter_store: str | None = None
    limiter_remaining: int | None = None
    limiter_shadows: tuple[str, ...] | None = None
    limiter_spent: tuple[str, ...] | None = None
    request_faults: int | None = None
    target: str | None = None
    upstream_request_id: str | None = None
    code: int | None = None
    reason: str | None = None
    cause: str | None = None
    path: str | None = None
    coding: str | None = None
    saved_bytes: int | None = None
    cache_result: str | None = None
    cache_age_s: int | None = None
    idempotency: str | None = None
    hedge: str | None = None


class AccessLog:
    """Writes access lines. For the event loop's thread.

    `wall` reads Unix time, in seconds. While it is not `enabled`, callers make no records. `colour` matters to the
    `console` form only, which is for people.
    """

    def __init__(
        self,
        writer: Output,
        wall: Callable[[], float],
        *,
        enabled: bool = True,
        console: bool = False,
        colour: bool = False,
    ) -> None:
        self.enabled = enabled
        self._printed = enabled
        self._followed: Callable[[AccessRecord], None] | None = None
        self.wall = wall
        self.timestamp = Timestamp().__call__  # to call the object itself takes twice as long
        """Spells the time of a line."""
        self.put = writer.put
        """Writes a line."""
        self._console = console and enabled
        self._colour = colour
        self.is_json = self._printed and not self._console
        """Whether lines of JSON are all that is wanted of records, so that `put` will do."""

    def follow(self, put: Callable[[AccessRecord], None] | None) -> None:
        """Give each record to `put` as well from now on, even if no lines are written; None: no longer."""
        self._followed = put
        self.enabled = self._printed or put is not None
        self.is_json = self._printed and not self._console and put is None

    def write(self, record: AccessRecord, wall_s: float) -> None:
        """Write the record of what has happened at `wall_s`."""
        record.timestamp = self.timestamp(wall_s)
        if self._console:
            self.put(terminal_line(record, colour=self._colour).encode(errors="backslashreplace"))
        elif self._printed:
            self.put(encoded(record))
        if self._followed is not None:
            self._followed(record)


_COLOURS = {"2": 32, "3": 36, "4": 33, "5": 31}


def terminal_line(record: AccessRecord, *, colour: bool) -> str:
    """Return a line for a terminal, such as `12:00:00.123 200 GET encoding.item 12.3 ms key=acme-ci id=…`."""
    status = str(record.status)
    words = [record.method, record.path or record.route or "-"]
    if record.total_ms is not None:
        words.append(f"{record.total_ms:.1f} ms")
    for label, value in (
        ("route", record.route if record.path else None),
        ("code", record.code),
        ("reason", record.reason),
        ("cause", record.cause),
        ("key", record.key_id),
        ("remaining", record.limiter_remaining),
        ("target", record.target),
        ("outcome", record.outcome),
        ("id", record.request_id),
    ):
        if value is not None and value != "":
            words.append(f"{label}={value}")
    if colour:
        status = f"\x1b[{_COLOURS.get(status[0], 0)}m{status}\x1b[0m"
    return f"{record.timestamp[11:-1]} {status} {printable(' '.join(words))}\n"


def printable(text: str) -> str:
    """Return `text` with everything that would move the cursor, start a line or colour a terminal spelled out."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text])
