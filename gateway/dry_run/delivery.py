"""Reports to which upstream the calls of a caller go, when they are sent again, and by what answers are checked."""

import msgspec

from gateway.settings import Config
from gateway.settings.schema.routing import RouteSettings
from gateway.traffic.split import SplitShares


class SplitShare(msgspec.Struct, frozen=True):
    """One upstream of a split, with its share of the callers, from 0 to 1. The calls of this caller go to `chosen`."""

    upstream: str
    share: float
    chosen: bool


class RetryReport(msgspec.Struct, frozen=True):
    """When calls are sent again, with the names of the configuration. `per_try_s` is None where there is no limit.

    `own_budget`: the budget is the route's own, and not that of the upstream.
    """

    attempts: int
    on: tuple[str, ...]
    methods: tuple[str, ...]
    per_try_s: float | None
    budget: float
    own_budget: bool
    backoff_s: float


class HedgeReport(msgspec.Struct, frozen=True):
    """When a call goes to a second target, with the names of the configuration."""

    after: str
    methods: tuple[str, ...]
    budget: float


class ReplyCheckReport(msgspec.Struct, frozen=True):
    """The operation by which `share` of the answers is checked afterwards, from 0 to 1."""

    openapi: str
    operation: str
    share: float


def split_shares(route: RouteSettings, caller: str) -> list[SplitShare]:
    """Return the upstreams of `split`, none for a route without one. `caller` is that of a `Call`."""
    if not route.split:
        return []
    weights = [part.weight for part in route.split]
    chosen = SplitShares([part.upstream for part in route.split], weights).number_of(caller)
    return [
        SplitShare(part.upstream, part.weight / sum(weights), number == chosen)
        for number, part in enumerate(route.split)
    ]


def upstream_of(route: RouteSettings, caller: str) -> str:
    """Return the id of the upstream that the calls of `caller` go to."""
    return next((each.upstream for each in split_shares(route, caller) if each.chosen), route.upstream)


def retry_report(config: Config, route: RouteSettings, upstream: str) -> RetryReport | None:
    """Return None where neither the route nor the upstream has rules for that."""
    inherited = next(each.retry for each in config.upstreams if each.id == upstream)
    if inherited is None and not route.retry.model_fields_set:
        return None
    retry = route.retry.over(inherited)
    own = route.retry.budget is not None or inherited is None
    return RetryReport(retry.attempts, retry.on, retry.methods, retry.per_try, retry.budget, own, retry.backoff)


def hedge_report(config: Config, upstream: str) -> HedgeReport | None:
    """Return None for an upstream whose calls have no second attempt."""
    hedge = next(each.hedge for each in config.upstreams if each.id == upstream)
    return None if hedge is None else HedgeReport(hedge.after, hedge.methods, hedge.budget)


def reply_check(route: RouteSettings) -> ReplyCheckReport | None:
    """Return None for a route whose answers are not checked."""
    wanted = route.response
    return None if wanted is None else ReplyCheckReport(wanted.openapi, wanted.operation, wanted.share)
