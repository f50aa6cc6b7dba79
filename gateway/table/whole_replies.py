"""Compiles what routes do with whole replies: compression, caches and idempotency keys."""

from gateway.kernel.caching.storage import CacheRules
from gateway.kernel.http.compression import CompressionRules
from gateway.settings.schema.replies import CompressionSettings
from gateway.settings.schema.routing import RouteSettings
from gateway.table.routes import Idempotency


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
