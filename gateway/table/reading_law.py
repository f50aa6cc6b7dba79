"""Refuses paths that some service could read as a path of a stricter route.

Law: a request is served by the route that its path spells only if no reading of that path (`table/path_readings.py`)
leads to a route that asks for more: a key, a route that this key may not use, or a limit, a quota or a cost that the
matched one has not. The same holds for a more specific route of the same path that lacks the method, so that no method
falls through to a route that asks for less. HEAD goes with GET. What is refused is refused for everybody, with a key or
without one:

    405/1006   the stricter route has the path and not the method; Allow names the methods that it has
    403/1003   the key may not use the stricter route
    400/1001   the path can be read as one of the stricter route, or in more ways than can be compared

What the service gets counts too: where routes of one service rewrite paths, a route must not lead to what a more
specific one guards. There only keys and the routes of keys are compared, since several ways to one path, each with
limits of its own, are what rewriting is for. Of two routes that lead to a path equally well each is right.

Routes whose demands no other route exceeds cost a request nothing: that is decided when the table is made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from gateway.kernel.faults import MALFORMED_PATH, METHOD_NOT_ALLOWED, ROUTE_FORBIDDEN, GatewayError
from gateway.kernel.http.path_safety import merged
from gateway.kernel.memo import Memo
from gateway.table.requirements import Demand
from gateway.table.rival_routes import Rival, Rivals, image_of, pattern_of
from gateway.table.routes import Route

ServiceAddresses: TypeAlias = tuple[tuple[str, str], ...]
"""The targets of an upstream: `host:port`, and the path of the URL without a slash at its end."""

_MOST_KNOWN = 1024
_LONGEST_KNOWN = 256
_READ_OTHERWISE = (
    "The path can be read as one of a route that asks for more. Send it as that route spells it: "
    "letter case, slashes, percent-encoding and parameters included."
)
_LEADS_ELSEWHERE = "The path leads to what another route guards. Use that route, with a key that may."


class Law:
    """Compares a matched route with the other routes that readings of the path lead to."""

    __slots__ = ("_addresses", "_contested", "_demands", "_guarded", "_permitted", "_rivals", "_services", "unrivalled")

    def __init__(self, tiers: Sequence[Iterable[Route]], services: Mapping[str, ServiceAddresses]) -> None:
        self._rivals = Rivals(len(tiers))
        routes = []
        for number, tier in enumerate(tiers):
            for route in tier:
                routes.append(route)
                self._rivals.add(route, pattern_of(route), number)
        known: dict[Demand, Demand] = {}
        self._demands = {route: known.setdefault(demand, demand) for route in routes for demand in (Demand(route),)}
        self._contested = {demand for demand in known if any(other.may_exceed(demand) for other in known)}
        self._addresses = {
            route: services.get(route.upstream.id, ((route.upstream.id, ""),))
            for route in routes
            if route.upstream is not None
        }
        self._services = self._rewritten()
        self._guarded = {
            origin for route, addresses in self._addresses.items() if not route.open for origin, _ in addresses
        }
        self._permitted: Memo[tuple[str, str], list[Rival]] = Memo(_MOST_KNOWN)
        self.unrivalled = frozenset(
            route for route in routes if not (self._may_be_rivalled(route) or self._may_lead_elsewhere(route))
        )
        """The routes of which `check` refuses no path."""

    def is_clear(self, route: Route, method: str, path: str) -> bool:
        """Return whether `check` refuses nothing."""
        return self.check(route, method, path) is None

    def check(self, route: Route, method: str, path: str) -> GatewayError | None:
        """Return the refusal of a path that a rival of `route` guards against everybody, None for any other path.

        It is METHOD_NOT_ALLOWED, MALFORMED_PATH or ROUTE_FORBIDDEN.
        """
        refusal = None
        if self._may_be_rivalled(route):
            demand = self._demands[route]
            refusal = _refusal(
                self._rivals.of(route, method, path),
                lambda rival: self._demands[rival].exceeds(demand, method),
                _otherwise,
            )
        if refusal is None and self._may_lead_elsewhere(route):
            refusal = _refusal(self._behind(route, method, path), lambda rival: not rival.open, _elsewhere)
        return refusal

    def _may_be_rivalled(self, route: Route) -> bool:
        return route.upstream is not None and self._demands[route] in self._contested

    def _may_lead_elsewhere(self, route: Route) -> bool:
        return route.open and bool(self._services)

    def rivals(self, route: Route, method: str, path: str) -> list[Route] | None:
        """Return the routes that a reading of `path` leads to, at the gateway or at the service.

        None when there are too many readings.
        """
        found = [] if route.upstream is None else self._all_rivals(route, method, path)
        return None if found is None else list(dict.fromkeys(rival.route for rival in found))

    def permit(self, allowed: frozenset[str], route: Route, method: str, path: str) -> GatewayError | None:
        """Return the refusal of a path whose rival of `route` is not among `allowed`, None for any other path.

        It is ROUTE_FORBIDDEN, METHOD_NOT_ALLOWED or MALFORMED_PATH.
        """
        if route.upstream is None:
            return None
        found = self._permitted.get((method, path))
        if found is None:
            found = self._all_rivals(route, method, path)
            if found is not None and len(path) <= _LONGEST_KNOWN:
                self._permitted.keep((method, path), found)
        return _refusal(
            found, lambda rival: not (rival.open or rival.upstream is None or rival.id in allowed), _forbidden
        )

    def _all_rivals(self, route: Route, method: str, path: str) -> list[Rival] | None:
        here, behind = self._rivals.of(route, method, path), self._behind(route, method, path)
        return None if here is None or behind is None else [*here, *behind]

    def _behind(self, route: Route, method: str, path: str) -> list[Rival] | None:
        """Rivals by the path that the service gets. None when it has too many readings."""
        found: list[Rival] = []
        for origin, base in self._addresses.get(route, ()):
            if origin in self._services and origin in self._guarded:
                rivals = self._services[origin].of(
                    route, method, base + route.upstream_path(merged(path)) or "/", ties=False
                )
                if rivals is None:
                    return None
                found += rivals
        return found

    def _rewritten(self) -> dict[str, Rivals]:
        """Rivals by the origin of each service that gets some paths in another form than clients send."""
        routes: dict[str, list[tuple[Route, str]]] = {}
        for route, addresses in self._addresses.items():
            for origin, base in addresses:
                routes.setdefault(origin, []).append((route, base))
        found = {}
        for origin, served in routes.items():
            if len({base for _, base in served}) > 1 or any(route.strip_segments or route.base for route, _ in served):
                found[origin] = Rivals()
                for route, base in served:
                    found[origin].add(route, image_of(route, base))
        return found


def _refusal(
    rivals: list[Rival] | None, asks_more: Callable[[Route], bool], error: Callable[[], GatewayError]
) -> GatewayError | None:
    """Return why a path with these rivals is refused, None if it is not. Without rivals it has too many readings."""
    if rivals is None:
        return GatewayError(MALFORMED_PATH)
    stricter = [rival for rival in rivals if asks_more(rival.route)]
    if any(rival.serves for rival in stricter):
        return error()
    if stricter:
        available = {method for rival in rivals if not rival.serves for method in rival.route.methods}
        return GatewayError(METHOD_NOT_ALLOWED, allow=", ".join(sorted(available)))
    return None


def _otherwise() -> GatewayError:
    return GatewayError(MALFORMED_PATH, developer_message=_READ_OTHERWISE)


def _elsewhere() -> GatewayError:
    return GatewayError(ROUTE_FORBIDDEN, developer_message=_LEADS_ELSEWHERE)


def _forbidden() -> GatewayError:
    return GatewayError(ROUTE_FORBIDDEN)
