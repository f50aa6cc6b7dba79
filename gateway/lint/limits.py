"""Warns of limits that never refuse anything, because another one always refuses first."""

from collections.abc import Iterator, Sequence

from gateway.kernel.limits.token_bucket import Window
from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.limits import Limit

_US = 1_000_000


def check_limits_refuse(context: CheckContext) -> None:
    """Report limits in whose bucket there is always room when another one of the same owner has some.

    That is so where the other bucket holds no more and is refilled no faster.
    """
    for loc, limits in _lists(context):
        for index, limit in enumerate(limits):
            tighter = next((other for other in limits if other is not limit and _is_tighter(other, limit)), None)
            if tighter is not None:
                text = f"`{limit.id}` never refuses a call: `{tighter.id}` always refuses it first"
                context.warn("W010", (*loc, index, "max"), text, "lower `max`, or delete it")


def _lists(context: CheckContext) -> Iterator[tuple[Loc, Sequence[Limit]]]:
    config = context.config
    for loc, plan in context.entries("plans", config.plans):
        yield (*loc, "limits"), plan.limits
    for loc, organization in context.entries("organizations", config.organizations):
        yield (*loc, "limits"), organization.limits
    for loc, key in context.entries("keys", config.keys.plain):
        yield (*loc, "limits"), key.limits
    for loc, route in context.entries("routes", config.routes):
        yield (*loc, "limits"), route.limits


def _is_tighter(other: Limit, limit: Limit) -> bool:
    """Return whether `other` refuses whatever `limit` would."""
    if other.shadow or other.scope != limit.scope or _methods(other) != _methods(limit):
        return False
    tight, wide = _window(other), _window(limit)
    return tight.burst <= wide.burst and tight.emission_us >= wide.emission_us


def _methods(limit: Limit) -> object:
    return getattr(limit, "methods", None)


def _window(limit: Limit) -> Window:
    return Window(limit.id, limit.max, round(limit.per * _US), None, limit.scope, limit.guarantee)
