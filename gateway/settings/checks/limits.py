"""Checks limits and costs: duplicates, methods that a route does not have, and calls that could never be allowed."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from gateway.kernel.limits.token_bucket import burst_of
from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.config import Config
from gateway.settings.schema.limits import Limit, RouteLimit
from gateway.settings.schema.routing import RouteSettings


def check_limits(context: CheckContext) -> None:
    config = context.config
    for loc, plan in context.entries("plans", config.plans):
        _refuse_doubles(context, loc, plan.limits, "plan")
    for loc, organization in context.entries("organizations", config.organizations):
        _refuse_doubles(context, loc, organization.limits, "organization")
    for loc, key in context.entries("keys", config.keys):
        for at, text, hint in own_limits(config, key) if key.limits else ():
            context.report((*loc, "limits", *at), text, hint)
    for loc, route in context.entries("routes", config.routes):
        _refuse_doubles(context, loc, route.limits, "route")
        _methods(context, loc, route)
        _costs(context, loc, route)


class Complaint(NamedTuple):
    """A problem with some limits: its path among them, its text, and a hint what to write instead."""

    at: Loc
    text: str
    hint: str = ""


def own_limits(config: Config, key: KeySettings) -> Iterator[Complaint]:
    """Check the limits of a key against one another and against those of its plan."""
    yield from _doubles(key.limits, "key")
    own_limits = {limit.id for limit in key.limits}
    for index, limit in enumerate(key.limits):
        for other in config.plan_limits(key.plan):
            if other.id == limit.id and other.scope != "key":
                text = (
                    f"`{limit.id}` of plan `{key.plan}` is shared by the keys of an organisation: no key has one "
                    "in its place"
                )
                yield Complaint((index, "id"), text, "choose another id")
            elif other.id == limit.id and limit.shadow and not other.shadow:
                text = f"in place of `{limit.id}` of plan `{key.plan}` it would leave the key without that limit"
                yield Complaint((index, "shadow"), text, "choose another id")
            elif other.id not in own_limits and (other.per, other.scope, other.shadow) == (
                limit.per,
                limit.scope,
                limit.shadow,
            ):
                text = f"`{other.id}` of plan `{key.plan}` has the same `per`"
                yield Complaint((index, "per"), text, f"write `id: {other.id}` to have this one in its place")


def _refuse_doubles(context: CheckContext, loc: Loc, limits: Sequence[Limit], what: str) -> None:
    for at, text, hint in _doubles(limits, what):
        context.report((*loc, "limits", *at), text, hint)


def _doubles(limits: Sequence[Limit], what: str) -> Iterator[Complaint]:
    ids: set[str] = set()
    spans: set[object] = set()
    for index, limit in enumerate(limits):
        methods = frozenset(limit.methods or ()) if isinstance(limit, RouteLimit) else frozenset()
        span = (limit.per, limit.scope, methods, limit.shadow)
        if limit.id in ids:
            yield Complaint((index, "id"), f"`{limit.id}` is the id of another limit of this {what}")
        if span in spans:
            yield Complaint((index, "per"), f"another limit of this {what} has the same `per`", "keep the tighter one")
        ids.add(limit.id)
        spans.add(span)


def _methods(context: CheckContext, loc: Loc, route: RouteSettings) -> None:
    known = route.match.served
    for index, limit in enumerate(route.limits):
        if limit.scope == "organization" and route.auth == "none":
            context.report(
                (*loc, "limits", index, "scope"), "callers of a route with `auth: none` have no organisation"
            )
        for position, method in enumerate(limit.methods or ()):
            if method not in known:
                context.report(
                    (*loc, "limits", index, "methods", position), f"`{method}` is none of the route's methods"
                )
    for method in route.cost:
        if method != "default" and method not in known:
            context.report((*loc, "cost", method), f"`{method}` is none of the route's methods", at_key=True)


def _costs(context: CheckContext, loc: Loc, route: RouteSettings) -> None:
    """Report costs that exceed a bucket, because such calls would never be allowed."""
    for method in route.match.served:
        cost = route.cost_of(method)
        if cost < 2:
            continue
        for limit, whose in _met(context.config, route, method):
            if cost > burst_of(limit.max, limit.guarantee) and not limit.shadow:
                at = (*loc, "cost", method) if method in route.cost else (*loc, "cost")
                context.report(
                    at,
                    f"a {method} would cost {cost}, and `{limit.id}` of {whose} never has more than "
                    f"{burst_of(limit.max, limit.guarantee)}",
                )
                return


def _met(config: Config, route: RouteSettings, method: str) -> Iterable[tuple[Limit, str]]:
    """Yield the limits that may apply to a call of the route, and their owners."""
    yield from ((limit, "this route") for limit in route.limits_of(method))
    if route.auth == "none":
        yield from (
            (limit, f"plan `{route.plan or 'anonymous'}`") for limit in config.plan_limits(route.plan or "anonymous")
        )
        return
    seen: set[object] = set()
    limits = {organization.id: organization.limits for organization in config.organizations}
    for key in config.keys:
        may = (key.plan, key.limits, key.routes, key.methods, key.organizations)
        allowed = key.methods is None or method in key.methods or (method == "HEAD" and "GET" in key.methods)
        if may in seen or not allowed:
            continue
        seen.add(may)
        if key.routes is None or any(fnmatchcase(route.id, pattern) for pattern in key.routes):
            for limit in config.limits_of(key):
                yield limit, f"key `{key.id}`" if limit in key.limits else f"plan `{key.plan}`"
            for organization in key.organizations:
                yield from ((limit, f"organization `{organization}`") for limit in limits.get(organization, ()))
