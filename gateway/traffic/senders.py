"""Builds what the calls of a route are sent through: an upstream, or several of them."""

import random
from collections.abc import Mapping

from gateway.settings.schema.routing import RouteSettings
from gateway.traffic.mirror import Mirror, MirrorLog
from gateway.traffic.split import Destination, Split


def sender_of(route: RouteSettings, upstreams: Mapping[str, Destination], mirrors: MirrorLog) -> Destination:
    """Return only the layers that the route needs."""
    sender = upstreams[route.upstream]
    if route.split:
        sender = Split([upstreams[part.upstream] for part in route.split], [part.weight for part in route.split])
    mirror = route.mirror
    if mirror is None:
        return sender
    to = upstreams[mirror.upstream]
    return Mirror(route.id, sender, to, mirror.share, mirrors, random.random, compare=mirror.compare)
