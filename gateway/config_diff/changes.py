"""The differences between two configurations, reported as changes of routes, plans, keys and so on."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from gateway.config_diff.effects import Effect, effect_of, effect_of_adding, effect_of_removing, effect_on_allowance
from gateway.config_diff.inventory import MASK, Item
from gateway.config_diff.route_takeover import conditions_of, route_taking_over
from gateway.settings.schema.values import METHODS

_ALLOWANCE = ("max", "per", "guarantee", "shadow")
"""Aspects of a limit whose effect is computed together."""
_STORE = "store keys"
_NAMED = 5
_REPORTED_BY_ACCESS = frozenset({("key", "routes"), ("key", "methods")})


class Change(msgspec.Struct, frozen=True):
    """One difference between two configurations.

    `aspect` is "" when the whole item was added or removed. `before` and `after` are None where there is no value.
    `concerned` lists the routes or methods that a key may use no longer, or may use from now on.
    """

    effect: Effect
    kind: str
    name: str
    aspect: str
    before: Any
    after: Any
    text: str
    concerned: list[str] = []


def changes(before: Iterable[Item], after: Iterable[Item]) -> list[Change]:
    """Return the changes in the order of `after`, followed by the items that were removed."""
    return list(_Comparison({str(item): item for item in before}, {str(item): item for item in after}).run())


def few(names: list[str]) -> str:
    """Return a comma-separated list that names at most `_NAMED` entries and counts the rest."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def spelled(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return " ".join(f"{name}={spelled(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, list):
        return f"[{', '.join(map(spelled, value))}]"
    return str(value) or '""'


class _Comparison:
    """Compares the items of two configurations.

    A route with a new name that still matches the same requests counts as the same route. An added route may take over
    the calls of an existing one, and the calls of a removed route may be taken over by another one.
    """

    def __init__(self, before: dict[str, Item], after: dict[str, Item]) -> None:
        self._stored = _STORE in before and _STORE in after
        self._renamed = _renamed(before, after)
        """Maps the new name of a renamed route to its old name."""
        self._before, self._after = _with_new_names(before, self._renamed), after
        old, new = ([each for each in side.values() if each.kind == "route"] for side in (self._before, self._after))
        self._route_taken_over = {
            str(each): other
            for each in new
            if str(each) not in self._before and (other := route_taking_over(each, old))
        }
        """Maps an added route to the route that took its calls before."""
        self._successor_route = {
            str(each): other for each in old if str(each) not in self._after and (other := route_taking_over(each, new))
        }
        """Maps a removed route to the route that takes its calls afterwards."""
        self._pairs = [
            *((self._before[str(each)], each) for each in new if str(each) in self._before),
            *((previous, self._after[label]) for label, previous in self._route_taken_over.items()),
            *((self._before[label], successor) for label, successor in self._successor_route.items()),
        ]
        self._access: dict[tuple[object, object], tuple[list[str], list[str]]] = {}
        self._plans: dict[tuple[str, str], Effect] = {}

    def run(self) -> Iterator[Change]:
        for label, item in self._after.items():
            previous = self._before.get(label)
            if previous is not None:
                yield from self._of_both(previous, item)
            elif item.of not in self._after or item.of in self._before:
                yield self._added(item)
        for label, item in self._before.items():
            if label not in self._after and (item.of not in self._before or item.of in self._after):
                yield self._removed(item)

    def _added(self, item: Item) -> Change:
        instead = self._instead_of(item, self._before)
        effect = effect_on_allowance(instead, [item.aspects]) if item.kind == "limit" else effect_of_adding(item.kind)
        previous = self._route_taken_over.get(str(item))
        if previous is not None and self._breaks(previous, item):
            effect = "breaking"
        gist = _gist(item) + (f", taken from {previous.name}" if previous is not None else "")
        return Change(effect, item.kind, item.name, "", None, item.aspects, _text("added", gist))

    def _breaks(self, previous: Item, route: Item) -> bool:
        """Return whether calls that `previous` took may be refused, or answered in another form, by `route`."""
        old, new = previous.aspects, route.aspects
        other = [
            aspect
            for aspect in {**old, **new}
            if old.get(aspect) != new.get(aspect) and aspect not in ("path", "match.methods")
        ]
        if any(
            self._effect(previous, route, aspect) == "breaking"
            for aspect in other
            if aspect != "plan" or None not in (old[aspect], new[aspect])
        ):
            return True
        limits = (
            [each.aspects for each in side.values() if each.of == str(of)]
            for side, of in ((self._before, previous), (self._after, route))
        )
        return effect_on_allowance(*limits) == "breaking"

    def _removed(self, item: Item) -> Change:
        instead = self._instead_of(item, self._after)
        effect = effect_on_allowance([item.aspects], instead) if item.kind == "limit" else effect_of_removing(item.kind)
        successor = self._successor_route.get(str(item))
        gist = _gist(item) + (f", left to {successor.name}" if successor is not None else "")
        if item.kind in ("plan", "organization") and self._stored:
            effect, gist = "breaking", "keys in the store may have it"
        return Change(effect, item.kind, item.name, "", item.aspects, None, _text("removed", gist))

    @staticmethod
    def _instead_of(limit: Item, side: dict[str, Item]) -> list[dict[str, Any]]:
        """Return the limit of the plan with the same id, which applies to a key without this limit; empty if none."""
        key = side.get(limit.of)
        plan = key.aspects["plan"] if key is not None and key.kind == "key" else None
        plan_limit = side.get(f"limit {limit.name.partition(' of ')[0]} of plan {plan}")
        return [] if plan_limit is None else [plan_limit.aspects]

    def _of_both(self, before: Item, after: Item) -> Iterator[Change]:
        kind, name = after.kind, after.name
        if kind == "route" and name in self._renamed:
            text = f"was called {self._renamed[name]}" + (", as keys in the store may have it" if self._stored else "")
            yield Change("breaking" if self._stored else "other", kind, name, "id", self._renamed[name], name, text)
        if kind == "key":
            yield from self._of_access(before, after)
        old, new = before.aspects, after.aspects
        if old == new:
            return
        for aspect in [*new, *(removed for removed in old if removed not in new)]:
            old_value, new_value = old.get(aspect), new.get(aspect)
            if (
                old_value == new_value
                or (kind, aspect) in _REPORTED_BY_ACCESS
                or (aspect == "plan" and None in (old_value, new_value))
            ):
                continue
            yield Change(
                self._effect(before, after, aspect),
                kind,
                name,
                aspect,
                old_value,
                new_value,
                _difference(aspect, old_value, new_value),
            )

    def _effect(self, before: Item, after: Item, aspect: str) -> Effect:
        if after.kind == "limit" and aspect in _ALLOWANCE:
            return effect_on_allowance([before.aspects], [after.aspects])
        if aspect == "plan":
            return self._of_plans(before.aspects["plan"], after.aspects["plan"])
        return effect_of(after.kind, after.name, aspect, before.aspects.get(aspect), after.aspects.get(aspect))

    def _of_plans(self, before: str, after: str) -> Effect:
        """Return the effect of moving a key from one plan to another."""
        if (before, after) not in self._plans:
            old, new = (
                [item for item in side.values() if item.of == f"plan {plan}"]
                for side, plan in ((self._before, before), (self._after, after))
            )
            effect = effect_on_allowance(
                *([item.aspects for item in each if item.kind == "limit"] for each in (old, new))
            )
            more = _quotas(new) - _quotas(old)
            self._plans[before, after] = "breaking" if more else effect
        return self._plans[before, after]

    def _of_access(self, before: Item, after: Item) -> Iterator[Change]:
        """Yield the changes of the routes and methods that a key may use."""
        old, new = before.aspects, after.aspects
        for aspect, (lost, gained) in {
            "routes": self._routes(old["routes"], new["routes"]),
            "methods": _methods(old, new),
        }.items():
            about = ("key", after.name, aspect, old[aspect], new[aspect])
            if lost:
                yield Change("breaking", *about, f"may no longer use {few(lost)}", lost)
            if gained:
                yield Change("widening", *about, f"may also use {few(gained)}", gained)
            if not lost and not gained and old[aspect] != new[aspect]:
                yield Change("other", *about, _difference(aspect, old[aspect], new[aspect]))

    def _routes(self, before: list[str] | None, after: list[str] | None) -> tuple[list[str], list[str]]:
        """Routes that require a key and that the patterns match no longer, and those that they match from now on."""
        patterns = (None if before is None else tuple(before), None if after is None else tuple(after))
        if patterns not in self._access:
            lost, gained = [], []
            for old, new in self._pairs:
                could, can = _matches(self._renamed.get(old.name, old.name), before), _matches(new.name, after)
                if could and not can and new.aspects["auth"] == "key":
                    lost.append(new.name)
                elif can and not could and old.aspects["auth"] == "key":
                    gained.append(new.name)
            self._access[patterns] = lost, gained
        return self._access[patterns]


def _renamed(before: dict[str, Item], after: dict[str, Item]) -> dict[str, str]:
    removed = {_takes(each): each.name for label, each in before.items() if each.kind == "route" and label not in after}
    added = [each for label, each in after.items() if each.kind == "route" and label not in before]
    return {each.name: removed[_takes(each)] for each in added if _takes(each) in removed}


def _takes(route: Item) -> tuple[object, ...]:
    return (route.aspects["path"], *conditions_of(route), *route.aspects["match.methods"])


def _with_new_names(before: dict[str, Item], renamed: dict[str, str]) -> dict[str, Item]:
    """Return the items with the routes, and their limits, under the names they have in the new configuration."""
    named = {f"route {old}": f"route {new}" for new, old in renamed.items()}
    if not named:
        return before
    renamed_items: dict[str, Item] = {}
    for label, item in before.items():
        now = item
        if label in named:
            now = msgspec.structs.replace(item, name=named[label].removeprefix("route "))
        elif item.of in named:
            now = msgspec.structs.replace(item, name=item.name.replace(item.of, named[item.of]), of=named[item.of])
        renamed_items[str(now)] = now
    return renamed_items


def _matches(route: str, patterns: list[str] | None) -> bool:
    return patterns is None or any(fnmatchcase(route, pattern) for pattern in patterns)


def _methods(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    could, can = before["methods"] or METHODS, after["methods"] or METHODS
    return [each for each in could if each not in can], [each for each in can if each not in could]


def _gist(item: Item) -> str:
    """Return a short description of an item that was added or removed, "" when its name is enough."""
    aspects = item.aspects
    if item.kind == "route":
        return f"{','.join(aspects['match.methods'])} {aspects['path']}" + (
            ", no key asked" if aspects["auth"] == "none" else ""
        )
    if item.kind == "limit":
        return f"{aspects['max']} per {aspects['per']}" + (", in shadow" if aspects["shadow"] else "")
    if item.kind == "quota":
        return f"{aspects['kind']} up to {aspects['max']}, code {aspects['code']}"
    if item.kind == "store":
        return str(aspects["store"])
    return ""


def _quotas(items: list[Item]) -> set[str]:
    """Return a text for each quota that does not depend on its plan."""
    return {f"{item.name.partition(' of ')[0]} {spelled(item.aspects)}" for item in items if item.kind == "quota"}


def _text(what: str, gist: str) -> str:
    return f"{what} ({gist})" if gist else what


def _difference(aspect: str, before: Any, after: Any) -> str:
    if aspect == "secret_sha256":
        return "another secret" if before and after else "needs a secret" if after else "no secret any more"
    if isinstance(before, str) and isinstance(after, str) and before.startswith(MASK) and after.startswith(MASK):
        return f"another {aspect}"
    if isinstance(before, list) and isinstance(after, list):
        removed = [f"-{spelled(each)}" for each in before if each not in after]
        differences = [*removed, *(f"+{spelled(each)}" for each in after if each not in before)]
        if differences:
            return f"{aspect} {', '.join(differences)}"
    return f"{aspect} {spelled(before)} -> {spelled(after)}"
