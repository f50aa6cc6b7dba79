"""All routes, and the search for the one that a request takes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, TypeAlias

from gateway.kernel.faults import MALFORMED_PATH, METHOD_NOT_ALLOWED, NO_ROUTE, GatewayError, refusal
from gateway.kernel.http.compression import CompressionRules
from gateway.kernel.http.path_patterns import Param, Rest, parse, parse_prefix
from gateway.kernel.http.path_safety import is_clear, merged, readings, spelled
from gateway.kernel.http.request_fields import RequestLine
from gateway.kernel.http.response_headers import as_text
from gateway.kernel.memo import Memo
from gateway.table.conditions import RequestFields, Tiers, Views
from gateway.table.cors import CrossOrigin
from gateway.table.reading_law import Law, ServiceAddresses
from gateway.table.routes import Route

_NONE: dict[str, Route] = {}


class _Node:
    """One node of the tree of patterns. `tip` holds prefixes that end here, `below` all routes that match any rest."""

    __slots__ = ("below", "here", "literal", "param", "tip")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.param: _Node | None = None
        self.here: dict[str, Route] = {}
        self.tip: dict[str, Route] = {}
        self.below: dict[str, Route] = {}


_Begun: TypeAlias = tuple[_Node, dict[str, Route]]
"""A node that literals alone lead to, and what the nodes above it have for any rest; by path, if there is one tier."""


class RouteTable:
    """Finds the route for a request. The most specific pattern that has the method wins.

    More specific means, from left to right: a literal segment, then a parameter, then a rest or prefix. A path of which
    another reading leads to a route that asks for more is refused (`table/reading_law.py`).
    """

    PARTS: ClassVar[tuple[str, ...]] = (
        "_begun", "_known", "_law", "_literal", "_merges", "_refused", "_roots", "compression", "cross_origin",
        "listeners", "routes", "unrouted", "unrouted_text", "views",
    )  # fmt: skip
    __slots__ = PARTS

    MOST_KNOWN: ClassVar = 1024
    LONGEST_KNOWN: ClassVar = 256
    """Paths that are remembered beside those of routes, and the characters of the longest with its method."""
    MOST_REFUSED: ClassVar = 256
    """Requests that no route takes, of which is remembered why. Whoever makes them up forgets nobody's routes."""

    def __init__(
        self,
        routes: Iterable[Route],
        unrouted: tuple[tuple[str, str], ...] = (),
        *,
        merges: bool = True,
        services: Mapping[str, ServiceAddresses] | None = None,
        cross_origin: CrossOrigin | None = None,
        compression: CompressionRules | None = None,
        tiers: Tiers | None = None,
    ) -> None:
        """Make the table.

        With `merges` two slashes in a row count as one; otherwise they are refused. `unrouted` are the fields that are
        set on replies without a route, and `compression` holds for these.

        `services` says by id of an upstream where its targets are: upstreams with a target in common lead to the same
        service. `cross_origin` is for browsers, None when no route has a policy for them.

        `tiers` are the routes that are searched, those of an earlier tier first; None stands for all in one.
        """
        self.routes = tuple(routes)
        self.unrouted = unrouted
        self.unrouted_text = as_text(unrouted)
        self.cross_origin = cross_origin
        self.compression = compression
        self._merges = merges
        self.views: Views[RouteTable] | None = None
        """The tables for hosts and header fields, None when no route has a condition about these."""
        self.listeners: Mapping[str, RouteTable] | None = None
        """The tables of listeners by their ids, None when no route names a listener."""
        tiers = (self.routes,) if tiers is None else tiers
        self._roots = tuple(_Node() for _ in tiers)
        exact: dict[str, dict[str, Route]] = {}
        for root, tier in zip(self._roots, tiers, strict=True):
            for route in tier:
                _plant(root, route, exact)
        self._begun = dict(_begin(self._roots[0], "", _NONE)) if len(tiers) == 1 else {}
        self._law = Law(tiers, services or {})
        self._literal = {
            path: {method: route for method, route in methods.items() if self._is_clear(route, method, path)}
            for path, methods in exact.items()
        }
        self._known = Memo(len(self._literal) + self.MOST_KNOWN, self._literal)
        self._refused: Memo[tuple[str, str], GatewayError] = Memo(self.MOST_REFUSED)

    def at(self, listener: str) -> "RouteTable":
        """Return the table for the requests of a listener."""
        return self if self.listeners is None else self.listeners[listener]

    def view(self, host: str, headers: RequestFields) -> "RouteTable":
        """Return the table for a request with this Host field and these header fields."""
        return self if self.views is None else self.views.of(host, headers)

    def match(self, method: str, path: str, line: RequestLine | None = None) -> Route | GatewayError:
        """Return the route for `method` and `path` as sent. The `merged` path is matched, and passed on.

        There is a refusal in place of the route: MALFORMED_PATH, NO_ROUTE, METHOD_NOT_ALLOWED or ROUTE_FORBIDDEN.
        `line` is the request line that has this method and path, if it is remembered. What is found is kept there.
        """
        if line is not None and line.table is self:
            known: Route | GatewayError = line.route
            return known
        found = self._search(method, path)
        if line is not None:
            line.table, line.route, line.target = self, found, b""
        return found

    def _search(self, method: str, path: str) -> Route | GatewayError:
        known = self._known.get(path)
        if known is not None:
            route = known.get(method)
            if route is not None:
                return route
        refused = self._refused.get((method, path))
        if refused is not None:
            return refused
        at_once = self._found_at_once(method, path)
        if at_once is not None:
            return at_once
        found = self._match(method, path)
        if len(path) + len(method) > self.LONGEST_KNOWN:
            return found
        if not isinstance(found, Route):
            return self._refused.keep((method, path), found)
        self._known.keep(path, {**self._known.get(path, {}), method: found})
        return found

    def _found_at_once(self, method: str, path: str) -> Route | GatewayError | None:
        """Return what `_match` finds for a path of which there is one reading, and that nothing else decides.

        None where it must be asked: the path has marks that are read in more than one way, a literal and a parameter
        lead on from one segment, another method has a more specific route, or a rival might guard the path. APIs have
        paths without end, one for each thing that they know: so a new one costs little, and is not remembered.
        """
        begun = self._begun
        if not begun or not is_clear(path):
            return None
        at = path.rindex("/") + 1
        if path[: at - 1] not in begun:
            at = 1
        node, found = begun[path[: at - 1]]
        while True:
            found = node.below or found
            end = path.find("/", at)
            segment = path[at:] if end < 0 else path[at:end]
            child = node.literal.get(segment)
            if node.param is not None and segment:
                if child is not None:
                    return None
                child = node.param
            if child is None:
                break
            if end < 0:
                found = child.here or child.tip or found
                break
            node, at = child, end + 1
        if found is _NONE:
            return refusal(NO_ROUTE)
        route = found.get(method)
        return route if route in self._law.unrivalled else None

    def permit(self, allowed: frozenset[str], route: Route, method: str, path: str) -> GatewayError | None:
        """Return why a key that may use the routes `allowed` only may not call `path`; None if it may.

        `route` was matched. Refusals are ROUTE_FORBIDDEN, METHOD_NOT_ALLOWED and MALFORMED_PATH, when a reading of
        `path` leads to another route.
        """
        return self._law.permit(allowed, route, method, path)

    def _match(self, method: str, path: str) -> Route | GatewayError:
        read = readings(merged(path) if self._merges else path)
        if read is None:
            return refusal(MALFORMED_PATH)
        plain, liberal = read
        allowed: set[str] = set()
        route = self._find(method, plain, allowed)
        if liberal != plain:
            others: set[str] = set()
            other = self._find(method, liberal, others)
            if (other is None and others) or other not in {None, route}:
                return refusal(MALFORMED_PATH)
        if route is not None:
            return self._law.check(route, method, path) or route
        if allowed:
            return GatewayError(METHOD_NOT_ALLOWED, allow=", ".join(sorted(allowed)))
        return refusal(NO_ROUTE)

    def near(self, path: str) -> Route | None:
        """Return the most specific route for `path`, whatever its methods."""
        read = readings(merged(path) if self._merges else path)
        found = None if read is None else next(self._candidates(read[0]), None)
        return next(iter(found.values()), None) if found else None

    def ranked(self, path: str) -> list[Route]:
        """Yield all routes for `path`, whatever their methods, the most specific first, for explanations."""
        read = readings(merged(path) if self._merges else path)
        if read is None:
            return []
        found: dict[Route, None] = {}
        for candidates in self._candidates(read[0]):
            found.update(dict.fromkeys(candidates.values()))
        return list(found)

    def read_otherwise(self, route: Route, method: str, path: str) -> list[Route] | None:
        """Return the routes that other readings of `path` lead to, of which `route` is the one that it spells.

        None when it has too many readings. For explanations.
        """
        return self._law.rivals(route, method, path)

    def _is_clear(self, route: Route, method: str, path: str) -> bool:
        """Return whether `route` is the one that a literal path of the routes leads to, and nothing refuses it."""
        return (len(self._roots) == 1 or self._find(method, path, set()) is route) and self._law.is_clear(
            route, method, path
        )

    def _candidates(self, path: str) -> Iterator[dict[str, Route]]:
        """Yield the routes that match `path`, the most specific first."""
        segments = path.split("/")
        for root in self._roots:
            yield from _candidates(root, segments, 1)

    def _find(self, method: str, path: str, allowed: set[str]) -> Route | None:
        for candidates in self._candidates(path):
            route = candidates.get(method)
            if route is not None:
                return route
            allowed.update(candidates)
            if any(found.upstream is None for found in candidates.values()):
                return None
        return None


def _plant(root: _Node, route: Route, exact: dict[str, dict[str, Route]]) -> None:
    methods = dict.fromkeys(route.methods, route)
    segments = parse_prefix(route.pattern) if route.prefix else parse(route.pattern)
    node, below = root, route.prefix
    for segment in segments:
        if isinstance(segment, Rest):
            below = True
        elif isinstance(segment, Param):
            node.param = node.param or _Node()
            node = node.param
        else:
            node = node.literal.setdefault(spelled(segment), _Node())
    if below:
        node.below = methods | node.below
    if route.prefix:
        node.tip = methods | node.tip
    elif not below:
        node.here = methods | node.here
    if not below and all(isinstance(segment, str) for segment in segments):
        path = "/" + "/".join([spelled(str(segment)) for segment in segments])
        exact[path] = methods | exact.get(path, {})


def _begin(node: _Node, path: str, found: dict[str, Route]) -> Iterator[tuple[str, _Begun]]:
    """Yield what `RouteTable._begun` has for `node` and those below it, as far as no parameter leads there."""
    yield path, (node, found)
    if node.param is None:
        for segment, child in node.literal.items():
            yield from _begin(child, f"{path}/{segment}", node.below or found)


def _candidates(node: _Node, segments: list[str], at: int) -> Iterator[dict[str, Route]]:
    """Yield the routes that match segments[at:] below `node`, the most specific first."""
    if at == len(segments):
        if node.here:
            yield node.here
        if node.tip:
            yield node.tip
        return
    segment = segments[at]
    child = node.literal.get(segment)
    if child is not None:
        yield from _candidates(child, segments, at + 1)
    if node.param is not None and segment:
        yield from _candidates(node.param, segments, at + 1)
    if node.below:
        yield node.below
