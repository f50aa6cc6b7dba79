"""Warns of paths that are written as in another gateway, and of time-outs that are never reached."""

import re

from gateway.kernel.http.path_patterns import parse, parse_prefix
from gateway.settings.checks.context import CheckContext
from gateway.settings.schema.routing import RouteSettings

_FOREIGN = re.compile(r"\A:[A-Za-z_]\w*\Z|<[^<>]*>|\([^()]*\)|\[[^\[\]]*\][+*]?|\^|\$\Z|\\[dw]|\.[*+]")
"""`:id` of Express and Spring Cloud, `<id>` of Flask, `(a|b)`, `[0-9]+` and `.+` of regular expressions."""


def check_routes(context: CheckContext) -> None:
    """Report patterns and time-outs."""
    for loc, route in context.entries("routes", context.config.routes):
        foreign = next((segment for segment in _literals(route) if _FOREIGN.search(segment)), None)
        if foreign is not None:
            kind = "path" if route.match.path is not None else "prefix"
            text = f"`{foreign}` is matched letter by letter"
            context.warn(
                "W006", (*loc, "match", kind), text, "write `{name}` for one segment, `{name*}` for all that is left"
            )
        timeouts = context.config.timeouts_of(route)
        own = route.timeouts.first_byte is not None or route.timeouts.total is not None
        if own and timeouts.first_byte > timeouts.total:
            kind = "first_byte" if route.timeouts.first_byte is not None else "total"
            context.warn("W007", (*loc, "timeouts", kind), _never(timeouts.first_byte, timeouts.total))
    for loc, upstream in context.entries("upstreams", context.config.upstreams):
        if upstream.timeouts.first_byte > upstream.timeouts.total:
            text = _never(upstream.timeouts.first_byte, upstream.timeouts.total)
            context.warn("W007", (*loc, "timeouts", "first_byte"), text)


def _never(first_byte_s: float, total_s: float) -> str:
    return f"`first_byte` ({first_byte_s:g}s) is longer than `total` ({total_s:g}s), which ends the call before"


def _literals(route: RouteSettings) -> list[str]:
    segments = parse_prefix(route.match.prefix) if route.match.prefix is not None else parse(route.match.path or "/")
    return [segment for segment in segments if isinstance(segment, str)]
