"""Checks how calls are spread, repeated and bounded: `retry` and its like."""

from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.routing import RouteSettings
from gateway.settings.schema.upstreams import UpstreamSettings
from gateway.settings.schema.values import did_you_mean


def check_traffic(context: CheckContext) -> None:
    """Report policies that contradict the rest of their upstream."""
    for loc, upstream in context.entries("upstreams", context.config.upstreams):
        _retry(context, loc, upstream)
        _hedge(context, loc, upstream)
    for loc, route in context.entries("routes", context.config.routes):
        _hashed(context, loc, route)
        _route_retry(context, loc, route)
        _split(context, loc, route)


def _retry(context: CheckContext, loc: Loc, upstream: UpstreamSettings) -> None:
    if upstream.retry is not None and (upstream.retry.per_try or 0) > upstream.timeouts.total:
        context.report((*loc, "retry", "per_try"), "of no use: it is longer than `timeouts.total`")


def _hedge(context: CheckContext, loc: Loc, upstream: UpstreamSettings) -> None:
    if upstream.hedge is None:
        return
    if len(upstream.targets) == 1:
        context.report((*loc, "hedge"), "of no use: there is no second target")
    if upstream.retry is not None and upstream.retry.attempts == 1:
        context.report((*loc, "hedge"), "of no use: `retry` allows one attempt only")


def _route_retry(context: CheckContext, loc: Loc, route: RouteSettings) -> None:
    if route.retry.per_try is None or all(each.id != route.upstream for each in context.config.upstreams):
        return
    if route.retry.per_try > context.config.timeouts_of(route).total:
        context.report((*loc, "retry", "per_try"), "of no use: it is longer than `timeouts.total`")


def _hashed(context: CheckContext, loc: Loc, route: RouteSettings) -> None:
    upstream = next((each for each in context.config.upstreams if each.id == route.upstream), None)
    rule = None if upstream is None else upstream.load_balancing.consistent_hash
    if rule is None or rule.on != "path_parameter":
        return
    if f"{{{rule.name}}}" not in (route.match.path or "") and f"{{{rule.name}*}}" not in (route.match.path or ""):
        context.report(
            (*loc, "upstream"),
            f"`{route.upstream}` keeps calls together by `{{{rule.name}}}`, which is not in `match.path`",
        )


def _split(context: CheckContext, loc: Loc, route: RouteSettings) -> None:
    named = [part.upstream for part in route.split]
    for index, upstream in enumerate(named):
        if upstream in named[:index]:
            context.report((*loc, "split", index, "upstream"), f"`{upstream}` stands here twice")
        elif index:  # the first one is checked as the upstream of the route
            _known(context, (*loc, "split", index, "upstream"), upstream)
    if route.split and not any(part.weight for part in route.split):
        context.report((*loc, "split"), "no upstream has a `weight` of more than 0")
    if route.mirror is not None:
        _known(context, (*loc, "mirror", "upstream"), route.mirror.upstream)
        if route.mirror.upstream in (route.upstream, *named):
            context.report((*loc, "mirror", "upstream"), "copies would go where the calls go")


def _known(context: CheckContext, loc: Loc, upstream: str) -> None:
    known = context.ids("upstreams")
    if upstream not in known and context.knows_all("upstreams"):
        hint = did_you_mean(upstream, known) or "declare it under `upstreams`"
        context.report(loc, f"there is no upstream `{upstream}`", hint)
