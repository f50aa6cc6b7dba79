"""Decides which buckets a call is charged to, and how much.

Each limit has one bucket for each of its owners: a key (or an address), an organisation, or the route itself. All
buckets of one claim have the same hash tag, because a Redis Cluster runs a script on one node only. The tag is derived
from the organisation, or from the key if it has none. Organisations that share a key share a tag, and a limit with a
bucket for a whole route puts all callers under one tag. For keys stored in Redis the organisations are not known
beforehand: if organisations have buckets, all keys share one tag, otherwise each key has its own.
"""

from collections.abc import Iterable, Mapping

from gateway.kernel.limits.quota import Posting
from gateway.kernel.limits.ratelimit_headers import RateLimitFields, limit_fields
from gateway.kernel.limits.token_bucket import Claim, Window
from gateway.kernel.memo import MANY_CALLERS, Memo
from gateway.settings import Config
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.limits import Limit
from gateway.settings.schema.routing import RouteSettings
from gateway.table.keyring import ONE_TAG, Caller, bucket_name, bucket_of
from gateway.table.quotas import Metering, Meters

WINDOW_NAMES = {
    1_000_000: "Second",
    60_000_000: "Minute",
    3_600_000_000: "Hour",
    86_400_000_000: "Day",
    2_592_000_000_000: "Month",
}
"""The ends of the names of X-RateLimit-* fields, by the lengths of windows in microseconds."""
MAX_CLAIMS = MANY_CALLERS


class Tariff:
    """The demands of a route beyond its callers' own limits: `costs` and `limits` by method, and changes of meters.

    Remembers the claims that it made.
    """

    __slots__ = ("_known", "_metering", "costs", "limits")

    def __init__(
        self, costs: Mapping[str, int], limits: Mapping[str, tuple[Window, ...]], metering: Metering | None = None
    ) -> None:
        self.costs = costs
        self.limits = limits
        self._metering = metering
        self._known: Memo[tuple[Caller, str], Claim] = Memo(MAX_CLAIMS)

    def claim(self, caller: Caller, method: str) -> Claim:
        """Return the claim of a call of `caller` with one of the route's methods."""
        known = self._known.get((caller, method))
        if known is not None:
            return known
        windows = shadows_last([*caller.claim.windows, *self.limits[method]])
        postings = self.postings(caller, method)
        made = claim_of(
            caller.bucket, caller.organization_bucket, windows, self.costs[method], reply_fields(windows), postings
        )
        return self._known.keep((caller, method), made)

    def charges(self, method: str) -> frozenset[tuple[str, str]]:
        """Return the names of the meters that a call with that method charges, each with its plan or organisation."""
        return frozenset() if self._metering is None else self._metering.charges(method)

    def postings(self, caller: Caller, method: str) -> tuple[Posting, ...]:
        """Return the changes of meters that such a call makes."""
        return () if self._metering is None else self._metering.postings(caller, method)


def claim_of(
    bucket: str,
    organization_bucket: str,
    windows: tuple[Window, ...],
    cost: int,
    fields: RateLimitFields,
    postings: tuple[Posting, ...] = (),
) -> Claim:
    """Return a claim on the buckets of a key, its organisation and a route."""
    buckets = {"key": bucket, "organization": organization_bucket, "route": bucket_name(ONE_TAG)}
    return Claim(tuple([f"{buckets[window.owner]}:{window.id}" for window in windows]), windows, cost, fields, postings)


def shadows_last(windows: Iterable[Window]) -> tuple[Window, ...]:
    return tuple(sorted(windows, key=lambda window: window.shadow))


def reply_fields(windows: tuple[Window, ...]) -> RateLimitFields:
    """Return the constant part of the rate limit fields of replies. Shadow limits are left out."""
    return limit_fields([window for window in windows if not window.shadow])


def tariff(route: RouteSettings, meters: Meters) -> Tariff | None:
    """Return the tariff of a route, None for a route without demands of its own."""
    methods = route.match.served
    costs = {method: route.cost_of(method) for method in methods}
    metering = meters.moved_by(route.id, methods)
    if not route.limits and metering is None and set(costs.values()) == {1}:
        return None
    return Tariff(costs, {method: route_windows(route, method) for method in methods}, metering)


def hit_tariff(route: RouteSettings, meters: Meters) -> Tariff | None:
    """Return the tariff of replies from the cache of a route, None where they cost what any call does."""
    if route.cache is None or route.cache.cost is None:
        return None
    methods = tuple(method for method in route.match.served if method in {"GET", "HEAD"})
    windows = {method: route_windows(route, method) for method in methods}
    return Tariff(dict.fromkeys(methods, route.cache.cost), windows, meters.moved_by(route.id, methods))


def route_windows(route: RouteSettings, method: str) -> tuple[Window, ...]:
    """Return the windows of the route for a call with this method."""
    return tuple(_window(limit, f"route/{route.id}/{limit.id}") for limit in route.limits_of(method))


def plan_windows(config: Config) -> dict[str, tuple[Window, ...]]:
    """Return the windows of each plan by its id."""
    return {
        plan.id: shadows_last(
            _window(limit, limit.id if limit.scope == "key" else f"organization/{plan.id}/{limit.id}")
            for limit in plan.limits
        )
        for plan in config.plans
    }


def key_windows(plan: tuple[Window, ...], key: KeySettings) -> tuple[Window, ...]:
    """Return the windows of a key: its own limits replace those of the plan with the same id, or follow them."""
    if not key.limits:
        return plan
    own = {limit.id: _window(limit, limit.id) for limit in key.limits}
    return shadows_last([*(own.pop(window.id, window) for window in plan), *own.values()])


def organization_windows(config: Config) -> dict[str, tuple[Window, ...]]:
    """Return the windows of each organisation by its id."""
    return {
        each.id: tuple(_window(limit, f"organization/{limit.id}") for limit in each.limits)
        for each in config.organizations
    }


def _window(limit: Limit, name: str) -> Window:
    per_us = round(limit.per * 1_000_000)
    return Window(
        name, limit.max, per_us, WINDOW_NAMES.get(per_us), limit.scope, limit.guarantee, limit.shadow, limit.on_failure
    )


class Tags:
    """Derives hash tags from the organisations that keys belong to."""

    def __init__(self, config: Config) -> None:
        self._stored = config.key_store is not None
        self._one = one_tag(config) or (ONE_TAG if self._stored and _organizations_share(config) else None)
        self._root: dict[str, str] = {}
        for key in config.keys.plain:
            for organization in key.organizations:
                self._join(key.organizations[0], organization)

    def of(self, key: KeySettings) -> str | None:
        """Return the hash tag of a key, None if its bucket has a tag of its own."""
        if self._one is not None or self._stored or not key.organizations:
            return self._one
        return bucket_of(f"organization {self._find(key.organizations[0])}")

    def _find(self, organization: str) -> str:
        while (above := self._root.setdefault(organization, organization)) != organization:
            organization = above
        return organization

    def _join(self, one: str, other: str) -> None:
        first, second = sorted((self._find(one), self._find(other)))
        self._root[second] = first


def _organizations_share(config: Config) -> bool:
    """Return whether some limit or quota has a bucket that several keys share."""
    limits: list[Limit] = [limit for each in config.plans for limit in each.limits]
    limits += [limit for each in config.routes for limit in each.limits]
    limits += [limit for each in config.organizations for limit in each.limits]
    quotas = any(quota.scope == "organization" for plan in config.plans for quota in plan.quotas)
    concurrency = any(
        plan.concurrency is not None and plan.concurrency.organization is not None for plan in config.plans
    )
    concurrency = concurrency or any(each.concurrency is not None for each in config.organizations)
    return quotas or concurrency or any(limit.scope == "organization" for limit in limits)


def one_tag(config: Config) -> str | None:
    """Return the tag of all buckets if some limit is shared by all callers of a route, otherwise None."""
    return ONE_TAG if any(limit.scope == "route" for route in config.routes for limit in route.limits) else None
