"""Adds the fields that every reply has: request id, the caller's limits, the route's fields, cache rules.

Laws: the fields that a route sets are also on the gateway's own errors, because a browser cannot read an error without
its CORS fields. A reply to a key is private to its caller, unless the service allows shared caches explicitly (RFC 9111
3.5: `public` with `s-maxage`), and it varies by key.
"""

from gateway.exchange import Exchange, Reply
from gateway.kernel.http.caching import kept_apart
from gateway.kernel.http.response_headers import SHARED, Line
from gateway.kernel.limits.ratelimit_headers import remaining_fields, remaining_text


def response_headers(reply: Reply, x: Exchange, id_field: str, unrouted: tuple[Line, ...] = ()) -> Reply:
    """Add the gateway's own fields to `reply` and return it.

    They replace the backend's fields of the same names, which normalize has dropped. `unrouted` are the fields that are
    set on replies without a route.
    """
    fields = reply.fields
    route = x.route
    if reply.text and route is not None:
        claim, decision = x.claim, x.decision
        limits = "" if claim is None or decision is None else f"{claim.text}{remaining_text(decision.states)}"
        reply.text = f"{reply.text}{route.privacy_text or ''}{id_field}: {x.request_id}\r\n{limits}"
        return reply
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
    if x.claim is not None and x.decision is not None:
        fields += x.claim.fields
        fields += remaining_fields(x.decision.states)
    return reply
