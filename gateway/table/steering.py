"""Decides how the calls of a route are distributed to services, and what keeps some of them together."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.kernel.http.path_patterns import Param, Rest, parse
from gateway.settings import Config
from gateway.settings.schema.routing import RouteSettings


class Affinity(msgspec.Struct, frozen=True):
    """What keeps calls together on one target.

    `name` is that of the header field. `segment` is the number of the segment of the path, from 0; with `rest` all that
    follow it belong to it.
    """

    on: Literal["key", "organization", "header", "path_parameter"]
    name: str = ""
    segment: int = 0
    rest: bool = False


class Steering(msgspec.Struct, frozen=True):
    """What is decided about each call of a route beside the request itself.

    `priorities` are those of the plans by id, None where they do not matter.
    """

    affinity: Affinity | None = None
    priorities: Mapping[str, int] | None = None


def steering_of(config: Config, route: RouteSettings) -> Steering | None:
    """Return None for a route of which nothing is to be decided."""
    affinity = _affinity(config, route)
    priorities = None
    if any(each.adaptive_concurrency is not None for each in config.upstreams_of(route)):
        priorities = {plan.id: plan.priority for plan in config.plans}
    return None if affinity is None and priorities is None else Steering(affinity, priorities)


def _affinity(config: Config, route: RouteSettings) -> Affinity | None:
    rules = [each.load_balancing.consistent_hash for each in config.upstreams_of(route)]
    rule = next((each for each in rules if each is not None), None)
    if rule is None:
        return None
    if rule.on != "path_parameter":
        return Affinity(rule.on, rule.name or "")
    for number, segment in enumerate(parse(route.match.path or "/")):
        if isinstance(segment, Param | Rest) and segment.name == rule.name:
            return Affinity(rule.on, segment=number, rest=isinstance(segment, Rest))
    return Affinity("key")
