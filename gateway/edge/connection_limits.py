"""How many clients there is room for. Each takes a file descriptor, and so does the connection to a service that it waits for."""

import resource
from collections.abc import Sequence
from contextlib import suppress

from gateway.settings.schema.server import ListenerSettings
from gateway.settings.schema.upstreams import UpstreamSettings

RESERVE = 64
"""Descriptors for whatever else a worker has open: its sockets, Redis, files that are read again."""
REJECTED = 64
"""Connections beyond the bound of a listener that are told so at one time. More wait in the system's queue until there is room."""


def bounds(listeners: Sequence[ListenerSettings], upstreams: Sequence[UpstreamSettings]) -> list[int]:
    """How many clients each of a worker's `listeners` may have in this process."""
    outgoing = sum(upstream.connections.max * len(upstream.targets) for upstream in upstreams)
    return shares([listener.limits.connections for listener in listeners], raise_descriptors(), outgoing)


def raise_descriptors() -> int:
    """Take as many descriptors as the system lets this process have; returns how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft


def shares(wanted: Sequence[int | None], descriptors: int, upstream_connections: int) -> list[int]:
    """How many clients each listener of a worker may have: as many as are wanted, None for what is left, while there are descriptors.

    At least half of the descriptors are for clients, however many connections to services there may be.
    """
    room = max(descriptors - RESERVE - upstream_connections, descriptors // 2) - REJECTED * len(wanted)
    part = max(room // len(wanted), 1)
    named = [each for each in wanted if each is not None]
    if sum(named) + (len(wanted) - len(named)) > room:
        return [part if each is None else min(each, part) for each in wanted]
    rest = (room - sum(named)) // max(len(wanted) - len(named), 1)
    return [rest if each is None else each for each in wanted]
