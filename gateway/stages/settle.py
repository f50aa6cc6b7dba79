"""What became of the call, for the quotas that it was charged to: only what succeeded costs.

A call has succeeded when its reply has a status below 400 and comes to its end. It has failed when its status is 400 or more,
whoever made it, and when a streamed reply breaks off, unless the client caused that. A streamed reply that the client gave up
counts as delivered. Leaving early must not be a way to have work done for nothing, so these stay charged as well:
 - a call that had been handed to the service when the client left before there was a reply;
 - a streamed reply that broke off because of what the client did: it held the service back until the service may have lost
   patience, or it broke the request body that it was still sending.

What a failed call gives back, what a release lowers, and that the call is over, is in the store before the reply is sent,
unless the store is away: whoever has the reply finds it so at every gateway. A streamed reply is in flight until its end.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from gateway.exchange import Exchange
from gateway.kernel.envelope.charsets import utf8_of
from gateway.kernel.envelope.media_type import media
from gateway.kernel.faults import GatewayError
from gateway.kernel.http.content_coding import decode, is_coded
from gateway.kernel.http.status_rules import WITHOUT_BODY
from gateway.kernel.limits.quota import AmountSource, Reservation
from gateway.kernel.limits.reported_amount import amount_in_body, amount_in_header
from gateway.upstream.call import Answer

HELD_BACK_S = 5.0
"""A service that was held back for this long, in all, may have lost patience: none that serves slow clients at all has less."""

Unmeasured: TypeAlias = Callable[[str], None]
"""Is told of a quota whose amount a successful answer did not tell; the call counts as nothing then."""


async def settle(x: Exchange, reservation: Reservation, unmeasured: Unmeasured) -> None:
    """Once the reply is there. One that is streamed is judged when it has ended, by `conclude`."""
    if x.reply is not None and x.reply.stream is None:
        settled, ended = _settle(x, reservation, x.reply.status < 400, unmeasured), reservation.release()
        if settled is not None:
            await settled
        if ended is not None:
            await ended


def conclude(x: Exchange, reservation: Reservation, unmeasured: Unmeasured) -> None:
    """Once the exchange is over, whatever became of it. Waits for nothing."""
    handed = x.call is not None and x.call.handed
    succeeded = handed if x.reply is None else x.reply.status < 400 and (x.outcome != "cut" or _cut_by_client(x))
    try:
        _settle(x, reservation, succeeded, unmeasured)
    finally:
        reservation.release()


def _cut_by_client(x: Exchange) -> bool:
    stream = x.answer.stream if x.answer is not None else None
    held_back = stream is not None and stream.held_s >= HELD_BACK_S
    return held_back or (x.error is not None and x.error.fault.source == "client")


def _settle(x: Exchange, reservation: Reservation, succeeded: bool, unmeasured: Unmeasured) -> Awaitable[None] | None:
    if not reservation.open:
        return None
    return reservation.commit(succeeded, _amounts(x, reservation, unmeasured) if succeeded and x.answer is not None else {})


def _amounts(x: Exchange, reservation: Reservation, unmeasured: Unmeasured) -> Mapping[str, int]:
    """What the answer says, by the ids of the meters that want to know."""
    answer, found = x.answer, dict[str, int]()
    for posting in reservation.postings:
        wanted = posting.meter.amount
        if wanted is not None and answer is not None and (wanted.header is not None or _has_body(x, answer)):
            said = _said(answer, wanted, x.route.envelope.max_buffer if x.route else 0)
            if said is None:
                unmeasured(posting.meter.id)
            else:
                found[posting.meter.id] = said
    return found


def _has_body(x: Exchange, answer: Answer) -> bool:
    """Whether there is one in replies of this kind. Those without are nothing to notice."""
    return x.method != "HEAD" and answer.status not in WITHOUT_BODY


def _said(answer: Answer, wanted: AmountSource, most_bytes: int) -> int | None:
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
