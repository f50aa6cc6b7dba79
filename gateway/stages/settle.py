"""Settles the quotas that a call was charged to: only calls that succeed cost something.

A call has succeeded when its reply has a status below 400 and is complete. It has failed when its status is 400 or
more, whether the gateway or the service made it, and when a streamed reply breaks off, unless the client caused that. A
streamed reply that the client has abandoned counts as delivered. A client must not get work done for nothing by leaving
early, so these calls stay charged as well: - a call that had been sent to the service when the client left before there
was a reply; - a streamed reply that broke off because of the client: it did not read and so held the service back for
longer than a service may wait, or it broke the request body that it was still sending.

Refunds of failed calls, released units and the end of the call are in the store before the reply is sent, unless the
store is away, so that a client that has its reply finds them at every gateway. A streamed reply is in flight until its
end.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from gateway.exchange import Exchange
from gateway.kernel.envelope.charsets import utf8_of
from gateway.kernel.envelope.media_type import media
from gateway.kernel.faults import GatewayError
from gateway.kernel.http.content_coding import decode, is_coded
from gateway.kernel.http.status_rules import has_body
from gateway.kernel.limits.quota import AmountSource, Reservation
from gateway.kernel.limits.reported_amount import amount_in_body, amount_in_header
from gateway.upstream.call import Answer

HELD_BACK_S = 5.0
"""A service that was held back for so many seconds in all may have given up.

No service that serves slow clients waits less.
"""

Unmeasured: TypeAlias = Callable[[str], None]
"""Is called with the id of a quota whose amount is missing in a successful answer. The call counts as nothing then."""
ReportBug: TypeAlias = Callable[[Exception, str], None]
"""Is called with an error that is a bug, and the id of the request."""


async def settle(x: Exchange, reservation: Reservation, unmeasured: Unmeasured) -> None:
    """Settle the quotas of a reply that is complete, before it is sent.

    `conclude` settles streamed replies at their end.
    """
    if x.reply is not None and x.reply.stream is None:
        settled, ended = _settle(x, reservation, unmeasured, succeeded=x.reply.status < 400), reservation.release()
        if settled is not None:
            await settled
        if ended is not None:
            await ended


def conclude(x: Exchange, reservation: Reservation, unmeasured: Unmeasured, report: ReportBug) -> None:
    """Settle what is still open when the exchange is over, with or without a reply. Waits for nothing.

    A bug in that is reported. It must not keep the exchange from being recorded.
    """
    handed = x.call is not None and x.call.handed
    succeeded = handed if x.reply is None else x.reply.status < 400 and (x.outcome != "cut" or _cut_by_client(x))
    try:
        try:
            _settle(x, reservation, unmeasured, succeeded=succeeded)
        finally:
            reservation.release()
    except Exception as bug:
        report(bug, x.request_id)


def _cut_by_client(x: Exchange) -> bool:
    stream = x.answer.stream if x.answer is not None else None
    held_back = stream is not None and stream.held_s >= HELD_BACK_S
    return held_back or (x.error is not None and x.error.fault.source == "client")


def _settle(
    x: Exchange, reservation: Reservation, unmeasured: Unmeasured, *, succeeded: bool
) -> Awaitable[None] | None:
    if not reservation.open:
        return None
    succeeded = succeeded and x.idempotency != "replayed"  # the first call has paid
    amounts = _amounts(x, reservation, unmeasured) if succeeded and x.answer is not None else {}
    return reservation.commit(amounts, succeeded=succeeded)


def _amounts(x: Exchange, reservation: Reservation, unmeasured: Unmeasured) -> Mapping[str, int]:
    """Return the amounts that the answer reports, by the ids of the meters that ask for one."""
    answer, found = x.answer, dict[str, int]()
    for posting in reservation.postings:
        wanted = posting.meter.amount
        if (
            wanted is not None
            and answer is not None
            and (wanted.header is not None or has_body(x.method, answer.status))
        ):
            amount = _reported_amount(answer, wanted, x.route.envelope.max_buffer if x.route else 0)
            if amount is None:
                unmeasured(posting.meter.id)
            else:
                found[posting.meter.id] = amount
    return found


def _reported_amount(answer: Answer, wanted: AmountSource, most_bytes: int) -> int | None:
    if wanted.header is not None:
        return amount_in_header(answer.fields, wanted)
    if answer.stream is not None:
        return None
    coding = b",".join([value for name, value in answer.fields if name == b"content-encoding"])
    try:
        body = decode(answer.body, coding, most_bytes) if is_coded(coding) else answer.body
        return amount_in_body(utf8_of(body, media(dict(answer.fields).get(b"content-type", b"")).charset), wanted)
    except (GatewayError, UnicodeError):
        return None
