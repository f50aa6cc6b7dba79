"""Says why a route has won, and why the others that match the same path have not."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from gateway.kernel.http.path_patterns import Param, Rest, Segment
from gateway.table import Route, RouteTable
from gateway.table.rival_routes import pattern_of

LostBecause: TypeAlias = Literal["less_specific", "without_method", "read_otherwise"]


class RivalRoute(msgspec.Struct, frozen=True):
    """A route that did not take the request. `lost_because` says why in one word, `why` in a sentence."""

    route: str
    pattern: str
    methods: tuple[str, ...]
    lost_because: LostBecause
    why: str


def shown_pattern(route: Route) -> str:
    """Return the path of a route as a pattern. A prefix ends with `/**`."""
    return f"{route.pattern.rstrip('/')}/**" if route.prefix else route.pattern


def why_won(table: RouteTable, route: Route, method: str, path: str) -> str:
    """Return why `route` has taken the request."""
    others = [each for each in table.ranked(path) if each.id != route.id]
    if not others:
        return "it is the only route for this path"
    if any(method in each.methods for each in others):
        return f"it is the most specific of the routes for this path that serve {method}"
    return f"it is the only route for this path that serves {method}"


def rivals_of(table: RouteTable, chosen: Route | None, method: str, path: str) -> list[RivalRoute]:
    """Return the other routes for `path`, the most specific first, and then those of its other readings."""
    ranked = table.ranked(path)
    winner = next((each for each in ranked if method in each.methods), None)
    found = {each.id: _rival(each, winner, method) for each in ranked if chosen is None or each.id != chosen.id}
    for each in _read_otherwise(table, winner, method, path):
        text = "a service may read this path as one of this route, so what this route asks for is compared"
        found.setdefault(each.id, RivalRoute(each.id, shown_pattern(each), each.methods, "read_otherwise", text))
    if winner is not None and chosen is None and winner.id in found:
        text = "it has the method, but a more specific route, or a route of another reading of the path, asks for more"
        found[winner.id] = RivalRoute(winner.id, shown_pattern(winner), winner.methods, "read_otherwise", text)
    return list(found.values())


def _read_otherwise(table: RouteTable, winner: Route | None, method: str, path: str) -> list[Route]:
    if winner is None:
        return []
    return table.read_otherwise(winner, method, path) or []  # None: the request was refused for having too many


def _rival(rival: Route, winner: Route | None, method: str) -> RivalRoute:
    pattern = shown_pattern(rival)
    if method not in rival.methods:
        served = ", ".join(rival.methods)
        return RivalRoute(rival.id, pattern, rival.methods, "without_method", f"it serves {served} and not {method}")
    if winner is None or winner is rival:
        return RivalRoute(rival.id, pattern, rival.methods, "read_otherwise", "another reading of the path is refused")
    return RivalRoute(rival.id, pattern, rival.methods, "less_specific", _less_specific(rival, winner))


def _less_specific(rival: Route, winner: Route) -> str:
    """Return at which segment `rival` is less specific. A literal precedes a parameter, and that any rest."""
    pairs = enumerate(zip(_kinds(rival), _kinds(winner), strict=False), start=1)
    number, own, other = next((number, own, other) for number, (own, other) in pairs if own != other)
    return f"at segment {number} it has {own}, where route {winner.id} has {other}"


def _kinds(route: Route) -> Iterator[str]:
    segments, below = pattern_of(route)
    yield from map(_kind, segments)
    yield "any rest" if below else "the end of the path"


def _kind(segment: Segment) -> str:
    if isinstance(segment, Param):
        return f"the parameter {{{segment.name}}}"
    return "any rest" if isinstance(segment, Rest) else f"the literal `{segment}`"
