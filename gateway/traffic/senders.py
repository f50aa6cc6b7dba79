"""Builds what the calls of a route are sent through: an upstream, or several of them."""

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from gateway.kernel.traffic.retry import RetryBudget, RetryRules
from gateway.settings import Config
from gateway.settings.schema.routing import RouteSettings
from gateway.traffic.answer_samples import AnswerSampler, TakeAnswer
from gateway.traffic.mirror import Mirror, MirrorLog
from gateway.traffic.route_retry import RouteRetry, retry_policy
from gateway.traffic.split import Destination, Split


class Onlookers(NamedTuple):
    """Who is shown what becomes of calls: copies of them, and samples of the answers by the ids of routes."""

    mirrors: MirrorLog
    samples: Mapping[str, TakeAnswer] = MappingProxyType({})


def sender_of(
    config: Config, route: RouteSettings, upstreams: Mapping[str, Destination], onlookers: Onlookers
) -> Destination:
    """Return only the layers that the route needs."""
    sender = _by_its_rules(config, route, route.upstream, upstreams)
    if route.split:
        parts = [_by_its_rules(config, route, part.upstream, upstreams) for part in route.split]
        sender = Split(parts, [part.weight for part in route.split])
    mirror, take = route.mirror, onlookers.samples.get(route.id)
    if mirror is not None:
        to, log = upstreams[mirror.upstream], onlookers.mirrors
        sender = Mirror(route.id, sender, to, mirror.share, log, random.random, compare=mirror.compare)
    if route.response is not None and take is not None:
        sender = AnswerSampler(sender, route.response.share, take, random.random)
    return sender


def _by_its_rules(
    config: Config, route: RouteSettings, upstream: str, upstreams: Mapping[str, Destination]
) -> Destination:
    if not route.retry.model_fields_set:
        return upstreams[upstream]
    inherited = next(each.retry for each in config.upstreams if each.id == upstream)
    retry = route.retry.over(inherited)
    own = route.retry.budget is not None or inherited is None
    return RouteRetry(upstreams[upstream], RetryRules(retry_policy(retry), RetryBudget(retry.budget) if own else None))
