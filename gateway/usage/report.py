"""Reports the state of a caller's limits and quotas without charging anything."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.kernel.limits.token_bucket import Claim, Decision, Guarantee, LimitOwner, Window, WindowState
from gateway.kernel.memo import Memo
from gateway.limiter.interface import Decider
from gateway.table.keyring import Caller
from gateway.table.limits import MAX_CLAIMS, claim_of, shadows_last
from gateway.table.routes import Route
from gateway.usage.quotas import Charged, Metered, charged_on, metered


class LimitUsage(msgspec.Struct, omit_defaults=True):
    """The state of a limit: `remaining` of at most `burst` tokens. `methods` are those that it applies to."""

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
    """The demands of a route beyond its callers' own limits: the cost of a call by method, and limits."""

    id: str
    cost: Mapping[str, int]
    limits: list[LimitUsage]


class Account(msgspec.Struct):
    """The report about one caller.

    `key` is the id of its key. `quotas` includes concurrency. `routes` holds the routes that the caller may use and
    that have limits or costs of their own.
    """

    key: str
    organization: str | None
    plan: str
    limits: list[LimitUsage]
    quotas: list[Metered]
    routes: list[OnRoute]


class _Lookup(msgspec.Struct, frozen=True):
    """The claim that reads all limits of routes at once, and the meters to read."""

    claim: Claim
    meters: tuple[Charged, ...]


class Accounts:
    """Makes the reports about callers of `routes`."""

    def __init__(self, limiter: Decider, routes: Sequence[Route]) -> None:
        self._limiter = limiter
        self._routes = [
            route for route in routes if route.tariff is not None and route.upstream is not None and not route.open
        ]
        self._known: Memo[Caller, _Lookup] = Memo(MAX_CLAIMS)

    async def of(self, caller: Caller, own_decision: Decision) -> Account:
        """Return the report.

        `own_decision` is the decision about the caller's own limits. Raises what deciding raises.
        """
        lookup = self._lookup(caller)
        claim = lookup.claim
        states: dict[str, WindowState] = {}
        if claim.windows:
            states = {state.window.id: state for state in (await self._limiter.decide(claim)).states}
        read = await self._limiter.read([each.posting for each in lookup.meters])
        quotas = [metered(state, each.routes) for each, state in zip(lookup.meters, read, strict=True)]
        routes = [_on_route(route, methods, states) for route, methods in self._usable(caller)]
        with_own_demands = [each for each in routes if each.limits or set(each.cost.values()) != {1}]
        return Account(
            caller.id,
            caller.organization,
            caller.plan,
            [limit_usage(state) for state in own_decision.states],
            quotas,
            with_own_demands,
        )

    def own_buckets(self, caller: Caller) -> dict[str, str]:
        """Return the buckets that only this key uses: limit names by bucket names in the store."""
        claims = (caller.peek, self._lookup(caller).claim)
        named = [(key, window) for claim in claims for key, window in zip(claim.keys, claim.windows, strict=True)]
        return {key: window.id for key, window in named if window.owner == "key"}

    def quota(self, caller: Caller, name: str) -> str | None:
        """Return the name in the store of the quota with that id; None if there is none. Concurrency is left out."""
        postings = [each.posting for each in self._lookup(caller).meters]
        return next((each.key for each in postings if each.meter.id == name and each.meter.kind != "concurrency"), None)

    def _lookup(self, caller: Caller) -> _Lookup:
        """Remembered, because stores cache their commands by claim."""
        known = self._known.get(caller)
        if known is None:
            usable = self._usable(caller)
            windows = [window for route, methods in usable for window in _windows(route, methods)]
            claim = claim_of(caller.bucket, caller.organization_bucket, shadows_last(windows), 0, ())
            known = self._known.keep(caller, _Lookup(claim, charged_on(caller, usable)))
        return known

    def _usable(self, caller: Caller) -> list[tuple[Route, list[str]]]:
        """Return the routes that the caller may use, with the methods."""
        return [(route, methods) for route in self._routes if (methods := _usable(route, caller))]


def limit_usage(state: WindowState, methods: tuple[str, ...] = ()) -> LimitUsage:
    window = state.window
    return LimitUsage(
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
    """Return the methods of the route that the caller may use."""
    if caller.routes is not None and route.id not in caller.routes:
        return []
    return [method for method in route.methods if caller.methods is None or method in caller.methods]


def _windows(route: Route, methods: Sequence[str]) -> dict[Window, list[str]]:
    """Return the windows of a route, each with the methods it applies to."""
    assert route.tariff is not None
    windows: dict[Window, list[str]] = {}
    for method in methods:
        for window in route.tariff.limits[method]:
            windows.setdefault(window, []).append(method)
    return windows


def _on_route(route: Route, methods: Sequence[str], states: Mapping[str, WindowState]) -> OnRoute:
    assert route.tariff is not None
    limits = [
        limit_usage(states[window.id], tuple(those))
        for window, those in _windows(route, methods).items()
        if window.id in states
    ]
    return OnRoute(route.id, {method: route.tariff.costs[method] for method in methods}, limits)
