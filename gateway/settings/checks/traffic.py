"""Checks how calls are spread, repeated and bounded: `retry` and its like."""

from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.upstreams import UpstreamSettings


def check_traffic(context: CheckContext) -> None:
    """Reports policies that contradict the rest of their upstream."""
    for loc, upstream in context.entries("upstreams", context.config.upstreams):
        _retry(context, loc, upstream)


def _retry(context: CheckContext, loc: Loc, upstream: UpstreamSettings) -> None:
    if upstream.retry is not None and (upstream.retry.per_try or 0) > upstream.timeouts.total:
        context.report((*loc, "retry", "per_try"), "of no use: it is longer than `timeouts.total`")
