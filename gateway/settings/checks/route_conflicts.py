"""Finds routes that match the same requests.

The most specific route wins: at the first segment that differs, a literal comes before a parameter and a parameter
before `{rest*}` or a prefix. So two routes are in each other's way only when they have the same shape, the names of
parameters apart, and share a method.
"""

from typing import TypeAlias

from gateway.kernel.http.path_patterns import Param, Rest, parse, parse_prefix
from gateway.kernel.http.route_conditions import MOST_COMBINATIONS, combinations
from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.config import OwnRoute
from gateway.settings.schema.routing import FRAMING, Match, RouteSettings
from gateway.settings.schema.values import did_you_mean

Shape: TypeAlias = tuple[str | None, ...]
_ONE = None
ALL = "/*"
"""The last segment of the `Shape` of a rest or prefix. No real segment has a slash."""


def shape(match: Match) -> Shape:
    """Return the shape of a match: a literal, None for a parameter, `/*` (segments have no slash) for a rest."""
    if match.prefix is not None:
        return (*parse_prefix(match.prefix), ALL)
    return tuple(
        _ONE if isinstance(segment, Param) else ALL if isinstance(segment, Rest) else segment
        for segment in parse(match.path or "/")
    )


def check_overlaps(context: CheckContext) -> None:
    """Report every route of which an earlier one, or the gateway's own, takes some or all requests."""
    own: dict[Shape, OwnRoute] = {}
    for mine in context.config.own_paths():
        other = own.setdefault(shape(Match(path=mine.path)), mine)
        if other is not mine:
            text = f"`{mine.path}` is `server.{other.setting}`"
            context.report(("server", mine.setting), text, "choose another path for one of them")
    for route_id, setting in {mine.id: mine.setting for mine in own.values()}.items():
        for loc in context.ids("routes").get(route_id, []):
            context.report(loc, f"`{route_id}` is the id of the route at `server.{setting}`", "choose another id")
    claimed: dict[tuple[Shape, str], list[tuple[Loc, RouteSettings]]] = {}
    for loc, route in context.entries("routes", context.config.routes):
        form = shape(route.match)
        if form in own:
            context.report(
                (*loc, "match", "path"),
                f"`{route.match.path}` is `server.{own[form].setting}`",
                "choose another path for one of them",
            )
        methods = dict.fromkeys(route.match.methods)
        if "GET" in methods:
            methods["HEAD"] = None
        clashes: dict[str, tuple[Loc, list[str]]] = {}
        for method in methods:
            others = claimed.setdefault((form, method), [])
            first = next((each for each in others if _tie(each[1].match, route.match)), None)
            if first is None:
                others.append((loc, route))
            else:
                clashes.setdefault(first[1].id, (first[0], []))[1].append(method)
        for first_id, (first_loc, shared) in clashes.items():
            kind = "path" if route.match.path is not None else "prefix"
            every = len(shared) == len(methods)
            what = (
                "takes every request that this one could" if every else f"takes the same paths for {', '.join(shared)}"
            )
            context.report(
                (*loc, "match", kind), f"route `{first_id}` in {context.where((*first_loc, 'match'), loc)} {what}"
            )


def _tie(one: Match, other: Match) -> bool:
    """Return whether some request, of the same path and method, fits both equally well."""
    if one.host != other.host or one.listener != other.listener or len(one.headers) != len(other.headers):
        return False
    values = {name.lower(): value for name, value in one.headers.items()}
    return all(values.get(name.lower(), value) == value for name, value in other.headers.items())


def check_conditions(context: CheckContext) -> None:
    """Report unknown listeners, fields that no condition can be about, and too many conditions."""
    listeners = [listener.id for listener in context.config.server.listeners]
    conditions: list[tuple[tuple[str, str], ...]] = []
    key_field = context.config.auth.key.header.lower()
    for loc, route in context.entries("routes", context.config.routes):
        match = route.match
        if match.listener is not None and match.listener not in listeners:
            hint = did_you_mean(match.listener, listeners)
            context.report((*loc, "match", "listener"), f"there is no listener `{match.listener}`", hint)
        names = [name.lower() for name in match.headers]
        for name in match.headers:
            if name.lower() in {key_field, "host"} or name.lower() in FRAMING or names.count(name.lower()) > 1:
                context.report((*loc, "match", "headers", name), f"`{name}` cannot be a condition", at_key=True)
        if match.headers:
            conditions.append(tuple((name.lower(), value) for name, value in match.headers.items()))
            if combinations(conditions) > MOST_COMBINATIONS:
                text = f"the conditions about header fields up to here have more than {MOST_COMBINATIONS} combinations"
                context.report((*loc, "match", "headers"), text, "use fewer fields, or fewer values")
                return
