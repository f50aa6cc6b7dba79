"""What every reply wears: its request id, what is left of the caller's limits, what its route sets, and for whom it is.

Laws: what a route sets on replies stands on its errors as well, for a browser that may not read an error cannot tell it.
What a key has opened is private to its caller, unless the service says in so many words that caches may share it
(RFC 9111 3.5: `public` with `s-maxage`); and it is another one for another key.
"""

from gateway.exchange import Exchange, Reply
from gateway.kernel.privacy import kept_apart
from gateway.kernel.quota_fields import remaining_fields
from gateway.kernel.response_fields import SHARED, Line


def dress(reply: Reply, x: Exchange, id_field: str, unrouted: tuple[Line, ...] = ()) -> Reply:
    """Add the gateway's own fields to `reply`; they replace a backend's, which normalize has dropped.

    `unrouted` is what is set on replies that are no route's.
    """
    fields = reply.fields
    route = x.route
    if reply.source == "gateway":
        route = route or x.near
        fields += unrouted if route is None else route.own_set
    elif route is not None and route.privacy:
        several = x.caller is not None and x.caller.several
        if several or (x.answer is not None and x.answer.marks & SHARED):
            fields = reply.fields = kept_apart(fields, route.privacy, route.organization_field if several else "")
        else:
            fields += route.privacy
    fields.append((id_field, x.request_id))
    if x.claim is not None and x.decision is not None:
        fields += x.claim.fields
        fields += remaining_fields(x.decision.states)
    return reply
