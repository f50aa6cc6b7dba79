"""Steers a call: says how urgent it is, and what keeps it together with other calls."""

from gateway.exchange import Exchange
from gateway.kernel.load_balancing import seed_of
from gateway.table import Caller
from gateway.table.steering import Affinity, Steering
from gateway.upstream.call import Call


def steer(x: Exchange, call: Call, caller: Caller, steering: Steering) -> None:
    """Complete `call` as the route says. A call without the value that `affinity` names goes by its caller."""
    if steering.priorities is not None:
        call.priority = steering.priorities.get(caller.plan, 0)
    if steering.affinity is not None:
        call.affinity = seed_of(_value(x, caller, steering.affinity) or caller.bucket)


def _value(x: Exchange, caller: Caller, affinity: Affinity) -> str | None:
    if affinity.on == "organization":
        return caller.organization
    if affinity.on == "header":
        return x.headers.get(affinity.name)
    if affinity.on == "path_parameter":
        segments = x.path[1:].split("/", affinity.segment + 1)[affinity.segment :]
        return "/".join(segments if affinity.rest else segments[:1])
    return None
