"""What every reply wears: its request id, and what is left of the caller's limits."""

from gateway.exchange import Exchange, Reply
from gateway.kernel.quota_fields import remaining_fields


def dress(reply: Reply, x: Exchange, id_field: str) -> Reply:
    """Add the gateway's own fields to `reply`; they replace a backend's, which normalize has dropped."""
    fields = reply.fields
    fields.append((id_field, x.request_id))
    if x.claim is not None and x.decision is not None:
        fields += x.claim.fields
        fields += remaining_fields(x.decision.states)
    return reply
