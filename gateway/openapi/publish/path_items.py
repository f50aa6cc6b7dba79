"""Which routes a document shows, and where: every method of a path once, as OpenAPI has it.

Routes may share path and method where they differ by host, listener or header fields. OpenAPI cannot say that, so the
document has the one that a reader most likely means, and names the others. Templates that differ by the names of
parameters only are the same path to OpenAPI: the names of the first route hold for all of them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.openapi.model import Audience
from gateway.settings.schema.routing import RouteSettings

_REST = "rest"


class PathItem(NamedTuple):
    """One operation of a document. `names` are its parameters in the template, by those in the pattern of the route.

    `rivals` are routes for the same path and method that are not shown. `depth` is more than 0 where a route that takes
    paths of any depth is shown once more, at a deeper path.
    """

    template: str
    method: str
    route: RouteSettings
    names: dict[str, str]
    rivals: tuple[RouteSettings, ...]
    depth: int = 0


class _Shown(NamedTuple):
    route: RouteSettings
    parts: list[str]
    depth: int


def path_items(routes: Iterable[RouteSettings], audience: Audience) -> list[PathItem]:
    """Return what a document for `audience` has, in the order of the paths."""
    found: dict[str, dict[str, list[_Shown]]] = {}
    templates: dict[str, list[str]] = {}
    for route in sorted(routes, key=lambda each: _order(each, audience)):
        methods = [method for method in route.match.methods if audience.may_use(route, method)]
        parts, depth = _parts(route), 0
        while methods:
            at = found.setdefault(_shape(parts), {})
            templates.setdefault(_shape(parts), parts)
            taken = {method for method in methods if _is_wide(route) and _is_narrow(at.get(method, []))}
            for method in methods:
                if method not in taken:
                    at.setdefault(method, []).append(_Shown(route, parts, depth))
            if not taken:
                break
            parts = [*parts[:-1], f"{{{_REST}{len(parts)}}}", parts[-1]]  # what is deeper is still its own
            depth += 1
    return [
        PathItem(
            "/" + "/".join(templates[shape]),
            method,
            first.route,
            _names(first.parts, templates[shape]),
            tuple(each.route for each in rivals),
            first.depth,
        )
        for shape, methods in sorted(found.items(), key=lambda each: templates[each[0]])
        for method, (first, *rivals) in methods.items()
    ]


def _is_narrow(shown: Sequence[_Shown]) -> bool:
    """Return whether there is a route among them for this depth only."""
    return any(not _is_wide(each.route) for each in shown)


def _order(route: RouteSettings, audience: Audience) -> tuple[object, ...]:
    """Return what sorts routes, of those for the same path the one first that is to be shown."""
    match = route.match
    if match.host is not None and match.host in audience.hosts:
        host = (0, -len(match.host.removeprefix("*")))
    else:
        host = (1 if match.host is None else 2, 0)
    elsewhere = match.listener is not None and audience.listener != match.listener
    return _is_wide(route), _shape(_parts(route)), host, elsewhere, len(match.headers), match.path or match.prefix or ""


def _is_wide(route: RouteSettings) -> bool:
    """Return whether a route takes paths of any depth."""
    return route.match.path is None or route.match.path.endswith("*}")


def _parts(route: RouteSettings) -> list[str]:
    """Return the segments of a path as OpenAPI has them: what a prefix covers is one more parameter."""
    if route.match.path is not None:
        return route.match.path.replace("*}", "}")[1:].split("/")
    return [*filter(None, (route.match.prefix or "/").split("/")), f"{{{_REST}}}"]


def _shape(parts: Sequence[str]) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in parts)


def _names(own: Sequence[str], shown: Sequence[str]) -> dict[str, str]:
    pairs = zip(own, shown, strict=True)
    return {part[1:-1]: other[1:-1] for part, other in pairs if part.startswith("{")}
