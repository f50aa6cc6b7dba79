"""The route of a path that can be read in one way only is found at once, and is the one that the whole search finds."""

import random

import pytest

from gateway.kernel.faults import GatewayError
from gateway.table import Route, RouteTable
from tests.samples import MINUTE, route

SEGMENTS = ("a", "b", "c", "d.e")
METHODS = ("GET", "POST", "DELETE")
TABLES, PATHS = 60, 60


def pattern(chance: random.Random) -> tuple[str, bool]:
    """Return a pattern, and whether it is a prefix."""
    parts = [chance.choice((*SEGMENTS, "{x}")) for _ in range(chance.randrange(4))]
    prefix = chance.random() < 0.3
    if prefix:
        return "/" + "/".join([part for part in parts if part != "{x}"]), True
    parts = [part.replace("x", f"x{number}") for number, part in enumerate(parts)]
    if chance.random() < 0.2:
        parts.append("{rest*}")
    return "/" + "/".join(parts), False


def routes(chance: random.Random) -> list[Route]:
    """Return routes with different patterns, a few of which are open, or the gateway's own."""
    found = {}
    for number in range(chance.randrange(1, 8)):
        text, prefix = pattern(chance)
        methods = tuple(chance.sample(METHODS, chance.randrange(1, 4)))
        more: dict[str, object] = {}
        if chance.random() < 0.2:
            more = {"open": True, "open_plan": "anonymous", "open_windows": (MINUTE,)}
        elif chance.random() < 0.2:
            more = {"upstream": None}
        found[text, prefix] = route(text, id=str(number), prefix=prefix, methods=methods, **more)
    return list(found.values())


def result(table: RouteTable, method: str, path: str) -> object:
    """Return the route, or what is refused and why."""
    found = table.match(method, path)
    return (found.fault, found.allow) if isinstance(found, GatewayError) else found


@pytest.mark.parametrize("seed", range(TABLES))
def test_what_is_found_at_once_is_what_the_search_finds(seed: int) -> None:
    chance = random.Random(seed)
    given = routes(chance)
    at_once, searched = RouteTable(given), RouteTable(given, tiers=(given, ()))  # with two tiers all is searched
    for _ in range(PATHS):
        path = "/" + "/".join([chance.choice((*SEGMENTS, "z", "7", "")) for _ in range(chance.randrange(5))])
        method = chance.choice(METHODS)
        assert result(at_once, method, path) == result(searched, method, path), (method, path, given)
