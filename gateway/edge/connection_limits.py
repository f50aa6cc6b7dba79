"""Decides how many clients a worker may have.

Each client takes a file descriptor, and so does the connection to the service that it waits for.
"""

import resource
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.settings.schema.server import ListenerSettings
from gateway.settings.schema.upstreams import UpstreamSettings

RESERVE = 64
"""File descriptors for everything else that a worker has open: its sockets, Redis, files that are read again."""
REJECTED = 64
"""The most connections beyond the limit of a listener that are answered with an error at one time.

More wait in the system's queue.
"""


def bounds(listeners: Sequence[ListenerSettings], upstreams: Sequence[UpstreamSettings]) -> list[int]:
    """Return how many clients each of a worker's `listeners` may have in this process."""
    outgoing = sum(upstream.connections.max * len(upstream.targets) for upstream in upstreams)
    return shares([listener.limits.connections for listener in listeners], raise_descriptors(), outgoing)


def raise_descriptors(set_limit: Callable[[int, tuple[int, int]], None] = resource.setrlimit) -> int:
    """Raise the limit of file descriptors to its maximum, and return the limit.

    The system may refuse it, where a lower maximum has been set for all processes since.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        set_limit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft


def shares(wanted: Sequence[int | None], descriptors: int, upstream_connections: int) -> list[int]:
    """Return how many clients each listener of a worker may have.

    That is the number in `wanted`, or an equal part of the rest for None, as far as there are `descriptors`. At least
    half of them are for clients, however many connections to services there may be.
    """
    available = max(descriptors - RESERVE - upstream_connections, descriptors // 2) - REJECTED * len(wanted)
    part = max(available // len(wanted), 1)
    named = [each for each in wanted if each is not None]
    if sum(named) + (len(wanted) - len(named)) > available:
        return [part if each is None else min(each, part) for each in wanted]
    rest = (available - sum(named)) // max(len(wanted) - len(named), 1)
    return [rest if each is None else each for each in wanted]
