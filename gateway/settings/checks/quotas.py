"""Checks quotas: duplicates, unknown routes and methods, and calls that would be both charged and released."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.quotas import Calls, Quota
from gateway.settings.schema.routing import RouteSettings
from gateway.settings.schema.values import did_you_mean


def check_quotas(context: CheckContext) -> None:
    for loc, plan in context.entries("plans", context.config.plans):
        ids: set[str] = set()
        for index, quota in enumerate(plan.quotas):
            at = (*loc, "quotas", index)
            if quota.id in ids:
                context.report((*at, "id"), f"`{quota.id}` is the id of another quota of this plan")
            ids.add(quota.id)
            _check(context, at, quota)


def _check(context: CheckContext, loc: Loc, quota: Quota) -> None:
    charged = set(_meant(context, (*loc, "charge"), quota.charge))
    _readable(context, loc, quota, {name for name, _ in charged})
    for index, calls in enumerate(quota.release or ()):
        both = charged.intersection(_meant(context, (*loc, "release"), (calls,), index))
        if both:
            route, method = min(both)
            context.report((*loc, "release", index), f"a {method} of `{route}` would raise the level and lower it")


def _readable(context: CheckContext, loc: Loc, quota: Quota, charged: set[str]) -> None:
    for route in context.config.routes if quota.amount is not None and quota.amount.field is not None else ():
        if route.id in charged and context.config.envelope_of(route).mode == "passthrough":
            context.report(
                (*loc, "amount", "field"), f"replies of `{route.id}` are passed through unread", "use `header`"
            )


def _meant(context: CheckContext, loc: Loc, several: Sequence[Calls], first: int = 0) -> Iterator[tuple[str, str]]:
    """Yield routes and methods. Unknown ones are reported."""
    known = context.ids("routes")
    for index, calls in enumerate(several, first):
        routes: list[RouteSettings] = []
        for position, pattern in enumerate(calls.routes):
            if context.knows_all("routes") and not any(fnmatchcase(route, pattern) for route in known):
                context.report(
                    (*loc, index, "routes", position), f"`{pattern}` matches no route", did_you_mean(pattern, known)
                )
            routes += [route for route in context.config.routes if fnmatchcase(route.id, pattern)]
        for position, method in enumerate(calls.methods or ()):
            if routes and not any(method in route.match.served for route in routes):
                context.report((*loc, index, "methods", position), f"`{method}` is a method of none of these routes")
        for route in routes:
            yield from ((route.id, method) for method in route.match.served if calls.includes(route.id, method))
