"""What routes demand of a request besides its method and path: its host and its header fields.

Law: of the routes whose conditions hold, those of the most specific host come first (a whole name, then the longest
`*.` name, then none), and only where none of these has the path those of a less specific one. Of routes for the same
host and path the one with more conditions wins. The law of `table/reading_law.py` holds for each combination of
conditions by itself. All combinations are compiled when the configuration is loaded.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec
from multidict import istr

from gateway.kernel.copies import replace
from gateway.kernel.http.path_patterns import Rest, Segment, parse, parse_prefix
from gateway.kernel.http.route_conditions import bare_host
from gateway.kernel.memo import Memo
from gateway.settings.schema.routing import RouteSettings
from gateway.table.routes import Route

Tiers: TypeAlias = Sequence[Sequence[Route]]
"""Routes by the specificity of their host, the most specific first."""
_REMEMBERED_HOSTS = 1024
_LONGEST_HOST = 256
T = TypeVar("T")


class RequestFields(Protocol):
    """The header fields of a request."""

    def get(self, name: str, /) -> str | None: ...


class _HostTables(msgspec.Struct, Generic[T], frozen=True):
    """The tables for one host, by the values of the fields `names` that some route names; None for any other value."""

    names: tuple[str, ...]
    values: tuple[frozenset[str], ...]
    tables: Mapping[tuple[str | None, ...], T]


class Views(Generic[T]):
    """Chooses the table for a request. `make` compiles one of tiers."""

    __slots__ = ("_by_host", "_known", "_make", "_routes", "_starred")

    def __init__(self, routes: Iterable[Route], make: Callable[[Tiers], T]) -> None:
        self._routes = tuple(routes)
        self._make = make
        hosts = dict.fromkeys(route.match_host for route in self._routes)
        self._starred = tuple(sorted((host[1:] for host in hosts if host.startswith("*.")), key=len, reverse=True))
        """Beginning with the dot, the longest first."""
        self._by_host: dict[str, _HostTables[T]] = {}
        """By the most specific host that fits."""
        for host in hosts:
            self._by_host[host] = self._tables_of(host)
        self._by_host.setdefault("", self._tables_of(""))
        self._known: Memo[str, _HostTables[T]] = Memo(_REMEMBERED_HOSTS)

    def of(self, host: str, headers: RequestFields) -> T:
        """Return the table for a request. `host` is that of its Host field, with a port or without."""
        found = self._known.get(host)
        if found is None:
            found = self._by_host[self._most_specific(bare_host(host))]
            if len(host) <= _LONGEST_HOST:
                self._known.keep(host, found)
        if not found.names:
            return found.tables[()]
        sent = [headers.get(name) for name in found.names]
        return found.tables[
            tuple([value if value in known else None for value, known in zip(sent, found.values, strict=True)])
        ]

    def _most_specific(self, name: str) -> str:
        if name in self._by_host:
            return name
        return next((f"*{ending}" for ending in self._starred if name.endswith(ending) and name != ending), "")

    def _tables_of(self, host: str) -> _HostTables[T]:
        name = host.removeprefix("*")
        fitting = [f"*{ending}" for ending in self._starred if name.endswith(ending) and f"*{ending}" != host]
        order = [*([host] if host else []), *fitting, ""]
        routes = [route for route in self._routes if route.match_host in order]
        values: dict[str, dict[str, None]] = {}
        for route in routes:
            for field, value in route.match_headers:
                values.setdefault(field, {})[value] = None
        names = tuple(values)
        tables = {}
        for combination in product(*[(None, *known) for known in values.values()]):
            held = {pair for pair in zip(names, combination, strict=True) if pair[1] is not None}
            holding = [route for route in routes if held.issuperset(route.match_headers)]
            tiers = [_winners([each for each in holding if each.match_host == wanted]) for wanted in order]
            tables[combination] = self._make([tier for tier in tiers if tier] or [[]])
        return _HostTables(tuple(map(istr, names)), tuple(frozenset(known) for known in values.values()), tables)


class SelectingFields:
    """The request fields that decide which of `routes` takes a request: replies vary by them.

    `everywhere` are those that decide for some path.
    """

    def __init__(self, routes: Sequence[RouteSettings]) -> None:
        self._selecting = [(each, _pattern(each)) for each in routes if each.match.headers]
        self.everywhere = _names(each for each, _ in self._selecting)

    def of(self, route: RouteSettings) -> tuple[str, ...]:
        """Return those that decide between `route` and others for some of its requests."""
        if not self._selecting:
            return ()
        pattern = _pattern(route)
        return _names(
            each
            for each, other in self._selecting
            if _hosts_meet(each.match.host, route.match.host) and _paths_meet(other, pattern)
        )


def _names(routes: Iterable[RouteSettings]) -> tuple[str, ...]:
    """Return the names of the fields that `routes` are chosen by, each in one spelling."""
    return tuple({name.lower(): name for route in routes for name in route.match.headers}.values())


def _hosts_meet(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other or "*" in one + other


def _pattern(route: RouteSettings) -> tuple[Sequence[Segment], bool]:
    """Return the segments of the path, and whether it covers what is below."""
    match = route.match
    segments = parse(match.path) if match.path is not None else parse_prefix(match.prefix or "/")
    below = match.path is None or isinstance(segments[-1], Rest)
    return (segments[:-1] if segments and isinstance(segments[-1], Rest) else segments), below


def _paths_meet(one: tuple[Sequence[Segment], bool], other: tuple[Sequence[Segment], bool]) -> bool:
    """Return whether some path may be both."""
    for mine, theirs in zip(one[0], other[0], strict=False):
        if isinstance(mine, str) and isinstance(theirs, str) and mine != theirs:
            return False
    longer = len(one[0]) - len(other[0])
    return not longer or (other[1] if longer > 0 else one[1])


def _winners(routes: Sequence[Route]) -> list[Route]:
    """Return the routes without the methods that another one with more conditions has for the same path."""
    taken: set[tuple[object, str]] = set()
    kept = []
    for route in sorted(routes, key=lambda each: each.specificity, reverse=True):
        form = _form(route)
        methods = tuple(method for method in route.methods if (form, method) not in taken)
        taken.update((form, method) for method in methods)
        if methods == route.methods:
            kept.append(route)
        elif methods:
            kept.append(replace(route, methods=methods))
    return kept


def _form(route: Route) -> tuple[object, ...]:
    segments = parse_prefix(route.pattern) if route.prefix else parse(route.pattern)
    kinds = [segment if isinstance(segment, str) else type(segment) for segment in segments]
    return (*kinds, Rest) if route.prefix else tuple(kinds)
