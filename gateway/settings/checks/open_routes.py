"""Warns of routes without a key around one with a key, or to the same paths of its service.

What a service could read as a path of the inner route is refused there (`table/reading_law.py`), so no caller gets in;
but such requests, and those with a method that the inner route lacks, are then answered 400 or 405, which may surprise.
Where paths are rewritten, two routes may lead to the same paths of a service; each is then right, and one without a key
is a way around the other.
"""

from gateway.kernel.http.path_patterns import parse_prefix
from gateway.kernel.http.route_conditions import hosts_meet
from gateway.settings.checks.context import CheckContext
from gateway.settings.checks.route_conflicts import ALL, Shape, shape
from gateway.settings.positions import Loc
from gateway.settings.schema.routing import RouteSettings

_NAMED = 3
"""Inner routes that a warning names. Of the others it gives the number."""
_CONSEQUENCE = (
    "what could be read as a path of theirs, or has a method that they lack, is refused here; narrower "
    "paths take nothing of it"
)


def check_enclosures(context: CheckContext) -> None:
    """Report each route without a key that encloses routes with one, or leads to the same paths."""
    _check_images(context)
    outer: dict[str | None, list[tuple[Loc, Shape, str | None, list[str]]]] = {}
    inner: list[tuple[Shape, RouteSettings]] = []
    for loc, route in context.entries("routes", context.config.routes):
        form = shape(route.match)
        if route.auth == "key":
            inner.append((form, route))
        elif form[-1] == ALL:
            outer.setdefault(form[0], []).append((loc, form, route.match.host, []))
    for form, route in inner:
        for first in dict.fromkeys((form[0], None, ALL)):
            for _, wide, host, found in outer.get(first, ()):
                if form != wide and _begins(form, wide[:-1]) and hosts_meet(host, route.match.host):
                    found.append(route.id)
    for loc, _, _, found in (each for same in outer.values() for each in same):
        if found:
            named = ", ".join(f"`{each}`" for each in found[:_NAMED])
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            context.warn(
                "W014",
                (*loc, "auth"),
                f"no key is asked for around routes that ask for one: {named}{more}",
                _CONSEQUENCE,
            )


def _check_images(context: CheckContext) -> None:
    keyed: dict[tuple[str, Shape], tuple[RouteSettings, Shape]] = {}
    for _, route in context.entries("routes", context.config.routes):
        if route.auth == "key":
            keyed.setdefault((route.upstream, _image(route)), (route, shape(route.match)))
    for loc, route in context.entries("routes", context.config.routes):
        known = keyed.get((route.upstream, _image(route))) if route.auth == "none" else None
        if known is not None and known[1] != shape(route.match):
            text = (
                f"no key is asked for on a way to the same paths of `{route.upstream}` as by route "
                f"`{known[0].id}`, which asks for one"
            )
            context.warn("W015", (*loc, "auth"), text, "ask for a key here too, or let `rewrite` lead elsewhere")


def _image(route: RouteSettings) -> Shape:
    """Return the shape of the paths that the upstream gets."""
    form, rewrite = shape(route.match), route.rewrite
    stripped = len(parse_prefix(rewrite.strip_prefix)) if rewrite.strip_prefix else 0
    return (*(parse_prefix(rewrite.add_prefix) if rewrite.add_prefix else ()), *form[stripped:])


def _begins(form: Shape, head: Shape) -> bool:
    """Return whether every path of the shape `form` begins with `head`."""
    return (
        len(form) >= len(head)
        and all(wide is None or wide == narrow for wide, narrow in zip(head, form, strict=False))
        and (ALL not in form[: len(head)])
    )
