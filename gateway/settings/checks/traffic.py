"""Checks how calls are spread, repeated and bounded: `retry` and its like."""

from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.routing import RouteSettings
from gateway.settings.schema.upstreams import UpstreamSettings


def check_traffic(context: CheckContext) -> None:
    """Report policies that contradict the rest of their upstream."""
    for loc, upstream in context.entries("upstreams", context.config.upstreams):
        _retry(context, loc, upstream)
    for loc, route in context.entries("routes", context.config.routes):
        _hashed(context, loc, route)


def _retry(context: CheckContext, loc: Loc, upstream: UpstreamSettings) -> None:
    if upstream.retry is not None and (upstream.retry.per_try or 0) > upstream.timeouts.total:
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
