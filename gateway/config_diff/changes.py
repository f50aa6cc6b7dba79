"""What is different between two configurations, in the terms of those who look after one."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from gateway.config_diff.effects import Effect, effect_of, effect_of_coming, effect_of_going, effect_on_allowance
from gateway.config_diff.inventory import MASK, Item
from gateway.config_diff.route_takeover import taker
from gateway.settings.schema.values import METHODS

_ALLOWANCE = ("max", "per", "guarantee", "shadow")
"""Aspects of a limit that are judged together."""
_STORE = "store keys"
_NAMED = 5
_TOLD_OTHERWISE = frozenset({("key", "routes"), ("key", "methods")})


class Change(msgspec.Struct, frozen=True):
    """One difference: `aspect` is "" for the whole thing. `before` and `after` are None where there is nothing.

    `concerned` are the routes or methods that a key may no longer, or newly, use.
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
    """In the order of `after`, and then what is gone."""
    return list(_Comparison({str(thing): thing for thing in before}, {str(thing): thing for thing in after}).run())


def few(names: list[str]) -> str:
    """For a line of text."""
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
    """Of two outlines.

    A route that has another name, but takes what it took, is still the same route. One that comes may take calls from
    another one, and one that goes may leave them to another.
    """

    def __init__(self, before: dict[str, Item], after: dict[str, Item]) -> None:
        self._stored = _STORE in before and _STORE in after
        self._renamed = _renamed(before, after)
        """The name that a route had, by the name that it has."""
        self._before, self._after = _with_new_names(before, self._renamed), after
        old, new = ([each for each in side.values() if each.kind == "route"] for side in (self._before, self._after))
        self._taken = {str(each): other for each in new if str(each) not in self._before and (other := taker(each, old))}
        """By a route that is new, the one that took its calls before."""
        self._left = {str(each): other for each in old if str(each) not in self._after and (other := taker(each, new))}
        """By a route that is gone, the one that takes its calls now."""
        self._pairs = [
            *((self._before[str(each)], each) for each in new if str(each) in self._before),
            *((once, self._after[label]) for label, once in self._taken.items()),
            *((self._before[label], now) for label, now in self._left.items()),
        ]
        self._access: dict[tuple[object, object], tuple[list[str], list[str]]] = {}
        self._plans: dict[tuple[str, str], Effect] = {}

    def run(self) -> Iterator[Change]:
        for label, thing in self._after.items():
            once = self._before.get(label)
            if once is not None:
                yield from self._of_two(once, thing)
            elif thing.of not in self._after or thing.of in self._before:
                yield self._came(thing)
        for label, thing in self._before.items():
            if label not in self._after and (thing.of not in self._before or thing.of in self._after):
                yield self._went(thing)

    def _came(self, thing: Item) -> Change:
        instead = self._instead_of(thing, self._before)
        effect = effect_on_allowance(instead, [thing.aspects]) if thing.kind == "limit" else effect_of_coming(thing.kind)
        taken = self._taken.get(str(thing))
        if taken is not None and self._breaks(taken, thing):
            effect = "breaking"
        gist = _gist(thing) + (f", taken from {taken.name}" if taken is not None else "")
        return Change(effect, thing.kind, thing.name, "", None, thing.aspects, _text("added", gist))

    def _breaks(self, taken: Item, route: Item) -> bool:
        """Whether calls that `taken` took may be worse off with `route`."""
        old, new = taken.aspects, route.aspects
        other = [aspect for aspect in {**old, **new} if old.get(aspect) != new.get(aspect) and aspect not in ("path", "match.methods")]
        if any(
            self._effect(taken, route, aspect) == "breaking"
            for aspect in other
            if aspect != "plan" or None not in (old[aspect], new[aspect])
        ):
            return True
        limits = (
            [each.aspects for each in side.values() if each.of == str(of)] for side, of in ((self._before, taken), (self._after, route))
        )
        return effect_on_allowance(*limits) == "breaking"

    def _went(self, thing: Item) -> Change:
        instead = self._instead_of(thing, self._after)
        effect = effect_on_allowance([thing.aspects], instead) if thing.kind == "limit" else effect_of_going(thing.kind)
        left = self._left.get(str(thing))
        gist = _gist(thing) + (f", left to {left.name}" if left is not None else "")
        if thing.kind in ("plan", "organization") and self._stored:
            effect, gist = "breaking", "keys in the store may have it"
        return Change(effect, thing.kind, thing.name, "", thing.aspects, None, _text("removed", gist))

    @staticmethod
    def _instead_of(limit: Item, side: dict[str, Item]) -> list[dict[str, Any]]:
        """What holds where a key does not have this limit: that of its plan with the same id, if there is one."""
        key = side.get(limit.of)
        plan = key.aspects["plan"] if key is not None and key.kind == "key" else None
        standing = side.get(f"limit {limit.name.partition(' of ')[0]} of plan {plan}")
        return [] if standing is None else [standing.aspects]

    def _of_two(self, before: Item, after: Item) -> Iterator[Change]:
        kind, name = after.kind, after.name
        if kind == "route" and name in self._renamed:
            told = f"was called {self._renamed[name]}" + (", as keys in the store may have it" if self._stored else "")
            yield Change("breaking" if self._stored else "other", kind, name, "id", self._renamed[name], name, told)
        if kind == "key":
            yield from self._of_access(before, after)
        old, new = before.aspects, after.aspects
        if old == new:
            return
        for aspect in [*new, *(gone for gone in old if gone not in new)]:
            once, now = old.get(aspect), new.get(aspect)
            if once == now or (kind, aspect) in _TOLD_OTHERWISE or (aspect == "plan" and None in (once, now)):
                continue
            yield Change(self._effect(before, after, aspect), kind, name, aspect, once, now, _difference(aspect, once, now))

    def _effect(self, before: Item, after: Item, aspect: str) -> Effect:
        if after.kind == "limit" and aspect in _ALLOWANCE:
            return effect_on_allowance([before.aspects], [after.aspects])
        if aspect == "plan":
            return self._of_plans(before.aspects["plan"], after.aspects["plan"])
        return effect_of(after.kind, after.name, aspect, before.aspects.get(aspect), after.aspects.get(aspect))

    def _of_plans(self, before: str, after: str) -> Effect:
        """Of being on another plan."""
        if (before, after) not in self._plans:
            old, new = (
                [thing for thing in side.values() if thing.of == f"plan {plan}"]
                for side, plan in ((self._before, before), (self._after, after))
            )
            effect = effect_on_allowance(*([thing.aspects for thing in each if thing.kind == "limit"] for each in (old, new)))
            more = _quotas(new) - _quotas(old)
            self._plans[before, after] = "breaking" if more else effect
        return self._plans[before, after]

    def _of_access(self, before: Item, after: Item) -> Iterator[Change]:
        """What a key may use of that which is there before and after."""
        old, new = before.aspects, after.aspects
        for aspect, (lost, gained) in {"routes": self._routes(old["routes"], new["routes"]), "methods": _methods(old, new)}.items():
            about = ("key", after.name, aspect, old[aspect], new[aspect])
            if lost:
                yield Change("breaking", *about, f"may no longer use {few(lost)}", lost)
            if gained:
                yield Change("widening", *about, f"may also use {few(gained)}", gained)
            if not lost and not gained and old[aspect] != new[aspect]:
                yield Change("other", *about, _difference(aspect, old[aspect], new[aspect]))

    def _routes(self, before: list[str] | None, after: list[str] | None) -> tuple[list[str], list[str]]:
        """What patterns let through no longer, and newly, of routes that ask for a key."""
        asked = (None if before is None else tuple(before), None if after is None else tuple(after))
        if asked not in self._access:
            lost, gained = [], []
            for once, now in self._pairs:
                could, can = _matches(self._renamed.get(once.name, once.name), before), _matches(now.name, after)
                if could and not can and now.aspects["auth"] == "key":
                    lost.append(now.name)
                elif can and not could and once.aspects["auth"] == "key":
                    gained.append(now.name)
            self._access[asked] = lost, gained
        return self._access[asked]


def _renamed(before: dict[str, Item], after: dict[str, Item]) -> dict[str, str]:
    gone = {_takes(each): each.name for label, each in before.items() if each.kind == "route" and label not in after}
    came = [each for label, each in after.items() if each.kind == "route" and label not in before]
    return {each.name: gone[_takes(each)] for each in came if _takes(each) in gone}


def _takes(route: Item) -> tuple[object, ...]:
    return (route.aspects["path"], *route.aspects["match.methods"])


def _with_new_names(before: dict[str, Item], renamed: dict[str, str]) -> dict[str, Item]:
    """Routes and their limits, under the names that they have afterwards."""
    named = {f"route {old}": f"route {new}" for new, old in renamed.items()}
    if not named:
        return before
    moved: dict[str, Item] = {}
    for label, thing in before.items():
        if label in named:
            thing = msgspec.structs.replace(thing, name=named[label].removeprefix("route "))
        elif thing.of in named:
            thing = msgspec.structs.replace(thing, name=thing.name.replace(thing.of, named[thing.of]), of=named[thing.of])
        moved[str(thing)] = thing
    return moved


def _matches(route: str, patterns: list[str] | None) -> bool:
    return patterns is None or any(fnmatchcase(route, pattern) for pattern in patterns)


def _methods(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    could, can = before["methods"] or METHODS, after["methods"] or METHODS
    return [each for each in could if each not in can], [each for each in can if each not in could]


def _gist(thing: Item) -> str:
    """What one needs to know of a thing that comes or goes."""
    aspects = thing.aspects
    if thing.kind == "route":
        return f"{','.join(aspects['match.methods'])} {aspects['path']}" + (", no key asked" if aspects["auth"] == "none" else "")
    if thing.kind == "limit":
        return f"{aspects['max']} per {aspects['per']}" + (", in shadow" if aspects["shadow"] else "")
    if thing.kind == "quota":
        return f"{aspects['kind']} up to {aspects['max']}, code {aspects['code']}"
    if thing.kind == "store":
        return str(aspects["store"])
    return ""


def _quotas(things: list[Item]) -> set[str]:
    """What is said of each, whatever plan it is of."""
    return {f"{thing.name.partition(' of ')[0]} {spelled(thing.aspects)}" for thing in things if thing.kind == "quota"}


def _text(what: str, gist: str) -> str:
    return f"{what} ({gist})" if gist else what


def _difference(aspect: str, before: Any, after: Any) -> str:
    if aspect == "secret_sha256":
        return "another secret" if before and after else "needs a secret" if after else "no secret any more"
    if isinstance(before, str) and isinstance(after, str) and before.startswith(MASK) and after.startswith(MASK):
        return f"another {aspect}"
    if isinstance(before, list) and isinstance(after, list):
        gone = [f"-{spelled(each)}" for each in before if each not in after]
        moves = [*gone, *(f"+{spelled(each)}" for each in after if each not in before)]
        if moves:
            return f"{aspect} {', '.join(moves)}"
    return f"{aspect} {spelled(before)} -> {spelled(after)}"
