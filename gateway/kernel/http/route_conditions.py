"""Rules about the conditions of routes beside path and method: hosts and header fields."""

from collections.abc import Iterable

MOST_COMBINATIONS = 256
"""Of the values of header fields that routes name, each combination of which has a table of routes."""


def bare_host(host: str) -> str:
    """Return a Host field without its port and without a dot at its end, in lower case."""
    name, colon, port = host.lower().rpartition(":")
    return (name if colon and (port.isdecimal() or not port) else host.lower()).removesuffix(".")


def combinations(routes: Iterable[tuple[tuple[str, str], ...]]) -> int:
    """Return how many combinations of conditions about header fields there are."""
    values: dict[str, set[str]] = {}
    for headers in routes:
        for name, value in headers:
            values.setdefault(name, set()).add(value)
    count = 1
    for known in values.values():
        count *= 1 + len(known)
    return count


def hosts_meet(one: str | None, other: str | None) -> bool:
    """Return whether a request can fit both hosts of routes. None stands for any host."""
    if one is None or other is None or one == other:
        return True
    return any(wide.startswith("*.") and narrow.endswith(wide[1:]) for wide, narrow in ((one, other), (other, one)))
