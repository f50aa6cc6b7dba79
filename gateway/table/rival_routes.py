"""Finds the other routes that a path leads to if a service reads it in another way than the gateway.

The routes form a tree whose literals are folded (`table/path_readings.py`) and which ignores a slash at the end. Routes
that differ only in case, accents or such a slash share a node.
"""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple
from urllib.parse import unquote

from gateway.kernel.http.path_patterns import Rest, Segment, parse, parse_prefix
from gateway.table.path_readings import Segments, every_reading, fold, is_calm
from gateway.table.routes import Route


class Rival(NamedTuple):
    """A route that some reading leads to.

    `serves` tells whether it has the method. A route without the method is listed if it precedes the one that has it.
    """

    route: Route
    serves: bool


class _TreeNode:
    """One node of the tree. `below` holds the routes that match any rest of the path, including none."""

    __slots__ = ("below", "here", "literal", "param")

    def __init__(self) -> None:
        self.literal: dict[str, _TreeNode] = {}
        self.param: _TreeNode | None = None
        self.here: list[Route] = []
        self.below: list[Route] = []


class RoutePattern(NamedTuple):
    """The paths of a route: `segments` without rest and final slash; with `below`, all paths that begin so."""

    segments: list[Segment]
    below: bool


class Rivals:
    """Finds the routes that the readings of a path lead to, for each reading the most specific first."""

    __slots__ = ("_roots",)

    def __init__(self, tiers: int = 1) -> None:
        """`tiers` is the number of groups of routes, of which a later one is searched where an earlier has none."""
        self._roots = tuple(_TreeNode() for _ in range(tiers))

    def add(self, route: Route, pattern: RoutePattern, tier: int = 0) -> None:
        node = self._roots[tier]
        for segment in pattern.segments:
            if isinstance(segment, str):
                node = node.literal.setdefault(fold(segment), _TreeNode())
            else:
                node.param = node.param or _TreeNode()
                node = node.param
        (node.below if pattern.below else node.here).append(route)

    def of(self, route: Route, method: str, path: str, *, ties: bool = True) -> list[Rival] | None:
        """Return the rivals of `route`, which takes `path` as spelled; None when the path has too many readings.

        A reading whose most specific route with the method is `route` has no other rivals than those before it that
        lack the method and, with `ties`, those at the same place.
        """
        readings = [tuple(path[1:].split("/"))] if is_calm(path) else every_reading(path)
        if readings is None:
            return None
        found: dict[Rival, None] = {}
        for reading in readings:
            for routes in chain.from_iterable([_candidates(root, reading, 0) for root in self._roots]):
                serving = [each for each in routes if method in each.methods]
                for each in serving or routes:
                    if each is not route and (ties or route not in serving):
                        found[Rival(each, bool(serving))] = None
                if serving:
                    break
        return list(found)


def pattern_of(route: Route) -> RoutePattern:
    """Return the pattern of the paths that clients send to `route`."""
    segments: list[Segment] = [*(parse_prefix(route.pattern) if route.prefix else parse(route.pattern))]
    below = route.prefix or isinstance(segments[-1], Rest)
    if segments and (isinstance(segments[-1], Rest) or segments[-1] == ""):
        segments.pop()
    return RoutePattern(segments, below)


def image_of(route: Route, base: str) -> RoutePattern:
    """Return the pattern of the paths that the service gets at a target whose URL has the path `base`."""
    pattern = pattern_of(route)
    added = [unquote(segment) for segment in (base + route.base).split("/") if segment]
    return RoutePattern([*added, *pattern.segments[route.strip_segments :]], pattern.below)


def _candidates(node: _TreeNode, segments: Segments, at: int) -> Iterator[list[Route]]:
    """Yield the routes for segments[at:] below `node`, most specific first. An empty last segment is a final slash."""
    if at == len(segments) or (at == len(segments) - 1 and not segments[at]):
        if node.here:
            yield node.here
    else:
        segment = segments[at]
        child = node.literal.get(segment)
        if child is not None:
            yield from _candidates(child, segments, at + 1)
        if node.param is not None and segment:
            yield from _candidates(node.param, segments, at + 1)
    if node.below:
        yield node.below
