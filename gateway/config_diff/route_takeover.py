"""Finds the route that takes the calls of another route when that one is missing."""

from collections.abc import Iterable
from functools import lru_cache

from gateway.config_diff.inventory import Item
from gateway.settings.checks.route_conflicts import ALL, Shape, shape
from gateway.settings.schema.routing import Match

_SHAPES = 10_000


@lru_cache(_SHAPES)
def shape_of(path: str) -> Shape:
    """Return the shape of a path as an inventory spells it, where a prefix ends in `/**`."""
    return shape(Match(prefix=path.removesuffix("/**") or "/") if path.endswith("/**") else Match(path=path))


def covers(general: str, special: str) -> bool:
    """Return whether `general` matches every path that `special` matches."""
    wide, narrow = shape_of(general), shape_of(special)
    for index, segment in enumerate(wide):
        if segment == ALL:
            return index < len(narrow) or general.endswith("/**")
        if index == len(narrow) or narrow[index] == ALL or segment not in (None, narrow[index]):
            return False
    return len(wide) == len(narrow)


def conditions_of(route: Item) -> tuple[tuple[str, object], ...]:
    """Return what a route demands of a request beside its method and path, in one order."""
    return tuple(
        sorted(
            (name, value)
            for name, value in route.aspects.items()
            if name in ("match.host", "match.listener") or name.startswith("match.headers.")
            if value is not None
        )
    )


def route_taking_over(route: Item, others: Iterable[Item]) -> Item | None:
    """Return the most specific of `others` that matches all paths of `route` and at least one of its methods.

    It has the same conditions about host, header fields and listener.
    """
    methods, path = set(route.aspects["match.methods"]), route.aspects["path"]
    conditions = conditions_of(route)
    able = [
        each
        for each in others
        if conditions_of(each) == conditions
        and covers(each.aspects["path"], path)
        and methods.intersection(each.aspects["match.methods"])
    ]
    return min(able, key=_breadth, default=None)


def _breadth(route: Item) -> tuple[int, ...]:
    """Sort key, segment by segment: literals first, then parameters, then a rest or prefix."""
    return tuple(1 if segment is None else 2 if segment == ALL else 0 for segment in shape_of(route.aspects["path"]))
