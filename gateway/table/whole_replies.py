"""Compiles what routes do with whole replies: compression, caches, idempotency keys, and for whom a reply is."""

from gateway.kernel.caching.storage import CacheRules
from gateway.kernel.http.caching import PRIVATE, VARY, varying
from gateway.kernel.http.compression import CompressionRules
from gateway.kernel.http.response_headers import Line
from gateway.settings.schema.replies import CompressionSettings
from gateway.settings.schema.routing import RouteSettings
from gateway.table.routes import Idempotency

_OF_THE_STATUS = frozenset(
    {"content-type", "cache-control", "retry-after", "www-authenticate", "allow", "proxy-status", "location"}
)


def cache_rules(route: RouteSettings) -> CacheRules | None:
    cache = route.cache
    if cache is None:
        return None
    return CacheRules(
        cache.ttl,
        cache.max_bytes,
        tuple(sorted(map(str.lower, cache.vary))),
        cache.share or ("public" if route.auth == "none" else "organization"),
        cache.stale_while_revalidate,
        cache.stale_if_error,
    )


def compression_rules(settings: CompressionSettings) -> CompressionRules | None:
    return CompressionRules(settings.codings, settings.min_size) if settings.codings else None


def idempotency_rules(route: RouteSettings) -> Idempotency | None:
    return None if route.idempotency is None else Idempotency(route.idempotency.header, route.idempotency.ttl)


def privacy_lines(
    response_set: tuple[Line, ...], vary: tuple[str, ...], *, private: bool
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Return the caching fields of a route's replies, and `response_set` merged with them.

    `vary` are the request fields that decide what a reply is. A `private` one is for whom it was made.
    """
    names = {name.lower() for name, _ in response_set}
    lines = (*(((VARY, ", ".join(vary)),) if vary else ()), *((PRIVATE,) if private else ()))
    merged = tuple(
        (name, varying(value, ", ".join(vary)) if vary and name.lower() == "vary" else value)
        for name, value in response_set
    )
    return tuple(line for line in lines if line[0].lower() not in names), merged


def own_lines(privacy: tuple[Line, ...], response_set: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return the fields of `response_set` and `privacy` for the gateway's own replies: those not decided by status."""
    return tuple(line for line in response_set + privacy if line[0].lower() not in _OF_THE_STATUS)
