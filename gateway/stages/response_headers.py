"""Adds the fields that every reply has: request id, the caller's limits, the route's fields, cache rules.

Laws: the fields that a route sets are also on the gateway's own errors, because a browser cannot read an error without
its CORS fields. A reply to a key is private to its caller, unless the service allows shared caches explicitly (RFC 9111
3.5: `public` with `s-maxage`), and it varies by key.
"""

from gateway.exchange import Exchange, Reply
from gateway.kernel.http.caching import kept_apart
from gateway.kernel.http.response_headers import SHARED, Line
from gateway.kernel.limits.ratelimit_headers import limit_text, remaining_fields


def response_headers(reply: Reply, x: Exchange, id_field: str, unrouted: tuple[Line, ...] = ()) -> Reply:
    """Add the gateway's own fields to `reply` and return it.

    They replace the backend's fields of the same names, which normalize has dropped. `unrouted` are the fields that are
    set on replies without a route. Lines that are text have the fields of the route already: of them only what belongs
    to this request is missing.
    """
    text, claim, decision = reply.text, x.claim, x.decision
    if text:
        limits = "" if claim is None or decision is None else limit_text(claim, decision.states)
        reply.text = f"{text}{id_field}: {x.request_id}\r\n{limits}"
        return reply
    fields = reply.fields
    route = x.route
    if reply.source == "gateway":
        route = route or x.near
        fields += unrouted if route is None else route.own_set
    elif route is not None and route.privacy:
        several = x.caller is not None and x.caller.several
        marks = 0 if x.answer is None else x.answer.marks
        if x.cache is not None:
            marks |= x.cache.marks
        elif x.idempotency == "replayed":
            marks = SHARED  # what the first reply said of caches is among its fields
        if several or marks & SHARED:
            fields = reply.fields = kept_apart(fields, route.privacy, route.organization_field if several else "")
        else:
            fields += route.privacy
    fields.append((id_field, x.request_id))
    if claim is not None and decision is not None:
        fields += claim.fields
        fields += remaining_fields(decision.states)
    return reply
