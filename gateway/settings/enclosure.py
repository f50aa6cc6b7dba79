"""Warns of routes that ask for no key and take everything around one that does.

What a service could read as a path of the inner route is refused there (`table/law.py`), so nobody gets in; but such requests,
and those with a method that the inner route lacks, are then answered 400 or 405, which may surprise.
"""

from gateway.settings.draft import Draft
from gateway.settings.overlap import ALL, Shape, shape
from gateway.settings.places import Loc
from gateway.settings.schema.routing import Route

_NAMED = 3
"""Inner routes that a warning names; of the others it tells the number."""
_CONSEQUENCE = "what could be read as a path of theirs, or has a method that they lack, is refused here; narrower paths take nothing of it"


def check_enclosures(draft: Draft) -> None:
    """Takes note of each route without a key that encloses routes with one."""
    outer: dict[str | None, list[tuple[Loc, Shape, list[str]]]] = {}
    inner: list[tuple[Shape, Route]] = []
    for loc, route in draft.entries("routes", draft.config.routes):
        form = shape(route.match)
        if route.auth == "key":
            inner.append((form, route))
        elif form[-1] == ALL:
            outer.setdefault(form[0], []).append((loc, form, []))
    for form, route in inner:
        for first in dict.fromkeys((form[0], None, ALL)):
            for _, wide, found in outer.get(first, ()):
                if form != wide and _begins(form, wide[:-1]):
                    found.append(route.id)
    for loc, _, found in (each for same in outer.values() for each in same):
        if found:
            named = ", ".join(f"`{each}`" for each in found[:_NAMED])
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            draft.warn((*loc, "auth"), f"no key is asked for around routes that ask for one: {named}{more}", _CONSEQUENCE)


def _begins(form: Shape, head: Shape) -> bool:
    """Whether every path of `form` begins with `head`."""
    return (
        len(form) >= len(head)
        and all(wide is None or wide == narrow for wide, narrow in zip(head, form, strict=False))
        and (ALL not in form[: len(head)])
    )
