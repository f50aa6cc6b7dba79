"""What callers have of their limits: looked up at no cost, for themselves and for operators."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.kernel.limits.token_bucket import Claim, Decision, Guarantee, LimitOwner, Window, WindowState
from gateway.limiter.interface import Decider
from gateway.table.keyring import Caller
from gateway.table.limits import MAX_CLAIMS, claim_of, shadows_last
from gateway.table.routes import Route
from gateway.usage.quotas import Charged, Metered, charged_on, metered


class Standing(msgspec.Struct, omit_defaults=True):
    """One limit. Of `burst` tokens at most `remaining` are there; `methods` are those of its route that it holds for."""

    id: str
    name: str | None
    scope: LimitOwner
    max: int
    per_seconds: float
    guarantee: Guarantee
    burst: int
    used: int
    remaining: int
    full_in_seconds: float
    methods: tuple[str, ...] = ()


class OnRoute(msgspec.Struct):
    """What a route asks beyond its callers' own limits: the cost of a call by method, and limits."""

    id: str
    cost: Mapping[str, int]
    limits: list[Standing]


class Account(msgspec.Struct):
    """`key` is its id. `quotas`, concurrency among them, and `routes` that ask for something of their own, are what the caller may use."""

    key: str
    organization: str | None
    plan: str
    limits: list[Standing]
    quotas: list[Metered]
    routes: list[OnRoute]


class _Looks(msgspec.Struct, frozen=True):
    """How to look into an account: at what routes limit, all of it at once, and at meters."""

    claim: Claim
    meters: tuple[Charged, ...]


class Accounts:
    """Looks into the accounts of callers of `routes`."""

    def __init__(self, limiter: Decider, routes: Sequence[Route]) -> None:
        self._limiter = limiter
        self._routes = [route for route in routes if route.tariff is not None and route.upstream is not None and not route.open]
        self._known: dict[Caller, _Looks] = {}

    async def of(self, caller: Caller, own: Decision) -> Account:
        """`own` is what was decided about the caller's own limits just now. Raises what deciding raises."""
        looks = self._looks(caller)
        claim = looks.claim
        states: dict[str, WindowState] = {}
        if claim.windows:
            states = {state.window.id: state for state in (await self._limiter.decide(claim)).states}
        read = await self._limiter.read([each.posting for each in looks.meters])
        quotas = [metered(state, each.routes) for each, state in zip(looks.meters, read, strict=True)]
        routes = [_on_route(route, methods, states) for route, methods in self._usable(caller)]
        asking = [each for each in routes if each.limits or set(each.cost.values()) != {1}]
        return Account(caller.id, caller.organization, caller.plan, [standing(state) for state in own.states], quotas, asking)

    def own_buckets(self, caller: Caller) -> dict[str, str]:
        """Those that no other key takes from: the names of their limits by their keys in the store."""
        claims = (caller.look, self._looks(caller).claim)
        named = [(key, window) for claim in claims for key, window in zip(claim.keys, claim.windows, strict=True)]
        return {key: window.id for key, window in named if window.owner == "key"}

    def quota(self, caller: Caller, name: str) -> str | None:
        """The key in the store of the quota with that id, concurrency excepted; None when the caller has none."""
        postings = [each.posting for each in self._looks(caller).meters]
        return next((each.key for each in postings if each.meter.id == name and each.meter.kind != "concurrency"), None)

    def _looks(self, caller: Caller) -> _Looks:
        """Kept, because stores know claims by what they are."""
        known = self._known.get(caller)
        if known is None:
            if len(self._known) >= MAX_CLAIMS:
                self._known.clear()
            usable = self._usable(caller)
            windows = [window for route, methods in usable for window in _windows(route, methods)]
            claim = claim_of(caller.bucket, caller.organization_bucket, shadows_last(windows), 0, ())
            known = self._known[caller] = _Looks(claim, charged_on(caller, usable))
        return known

    def _usable(self, caller: Caller) -> list[tuple[Route, list[str]]]:
        """Routes that the caller may use, with the methods."""
        return [(route, methods) for route in self._routes if (methods := _usable(route, caller))]


def standing(state: WindowState, methods: tuple[str, ...] = ()) -> Standing:
    window = state.window
    return Standing(
        id=window.id,
        name=window.name,
        scope=window.owner,
        max=window.max,
        per_seconds=window.per_us / 1e6,
        guarantee=window.guarantee,
        burst=window.burst,
        used=state.used,
        remaining=state.remaining,
        full_in_seconds=state.full_s,
        methods=methods,
    )


def _usable(route: Route, caller: Caller) -> list[str]:
    """The methods that the caller may use there."""
    if caller.routes is not None and route.id not in caller.routes:
        return []
    return [method for method in route.methods if caller.methods is None or method in caller.methods]


def _windows(route: Route, methods: Sequence[str]) -> dict[Window, list[str]]:
    """What is limited there, each for which of the methods."""
    assert route.tariff is not None
    windows: dict[Window, list[str]] = {}
    for method in methods:
        for window in route.tariff.limits[method]:
            windows.setdefault(window, []).append(method)
    return windows


def _on_route(route: Route, methods: Sequence[str], states: Mapping[str, WindowState]) -> OnRoute:
    assert route.tariff is not None
    limits = [standing(states[window.id], tuple(those)) for window, those in _windows(route, methods).items() if window.id in states]
    return OnRoute(route.id, {method: route.tariff.costs[method] for method in methods}, limits)
