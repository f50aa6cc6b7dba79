"""The CORS policies of routes, and how preflights are limited."""

import msgspec

from gateway.kernel.http.cors import CorsPolicy, cors_policy
from gateway.kernel.limits.token_bucket import Window
from gateway.settings import Config
from gateway.settings.schema.routing import RouteSettings
from gateway.table.limits import one_tag, plan_windows

PREFLIGHTS = "preflight"
"""The name of the bucket in which the preflights of a client address are counted, apart from its calls."""

_RATE_LIMITS = tuple(
    f"X-RateLimit-{what}-{span}" for what in ("Limit", "Remaining") for span in ("Second", "Minute", "Hour", "Day")
)
_EXPOSED = (*_RATE_LIMITS, "RateLimit", "RateLimit-Policy", "Retry-After", "Proxy-Status")
"""Fields that every page may read beside the request id, and those that browsers always show."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class CrossOrigin(msgspec.Struct, frozen=True):
    """What preflights need besides the routes.

    `unrouted` is the policy for paths that no route has, None for none. `windows` limit the preflights of each client
    address, and `tag` is the hash tag of their buckets, None for one each.
    """

    unrouted: CorsPolicy | None
    windows: tuple[Window, ...]
    tag: str | None


def route_cors(config: Config, route: RouteSettings) -> CorsPolicy | None:
    """Return the policy of a route, None for none."""
    return _policy(config, route, route.match.served)


def cross_origin(config: Config) -> CrossOrigin | None:
    """Return what all preflights have in common, None when no route has a policy."""
    unrouted = _policy(config, None, _METHODS)
    if unrouted is None and not any(config.cors_of(route).origins for route in config.routes):
        return None
    return CrossOrigin(unrouted, plan_windows(config)["anonymous"], one_tag(config))


def _policy(config: Config, route: RouteSettings | None, methods: tuple[str, ...]) -> CorsPolicy | None:
    settings = config.defaults.cors if route is None else config.cors_of(route)
    if not settings.origins:
        return None
    auth = config.auth
    return cors_policy(
        settings.origins,
        methods=settings.methods or methods,
        headers=(auth.key.header, auth.organization_header, *settings.headers),
        expose=(config.observability.request_id.header, *_EXPOSED, *settings.expose),
        credentials=settings.credentials,
        max_age_s=int(settings.max_age),
    )
