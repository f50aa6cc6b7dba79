"""The route on which the gateway itself reports the limits of a caller."""

from gateway.kernel.http.cors import CorsPolicy
from gateway.kernel.http.request_headers import FieldFilter
from gateway.kernel.http.response_headers import FieldRules, Line
from gateway.settings.schema.config import LIMITS_ROUTE
from gateway.table.limits import Tariff
from gateway.table.public_urls import UrlMapping
from gateway.table.routes import Envelope, Route

_METHODS = ("GET", "HEAD")


def limits_route(path: str, own_set: tuple[Line, ...] = (), cors: CorsPolicy | None = None) -> Route:
    """Return the route.

    A call costs nothing, `own_set` is added to replies, `cors` is the policy for browsers, and fields about upstreams
    have no meaning.
    """
    return Route(
        id=LIMITS_ROUTE,
        pattern=path,
        prefix=False,
        methods=_METHODS,
        upstream=None,
        host=b"",
        base="",
        strip_segments=0,
        envelope=Envelope("wrap", 0, "refuse"),
        family="general",
        open=False,
        open_plan="",
        open_windows=(),
        open_tag=None,
        tariff=Tariff(dict.fromkeys(_METHODS, 0), dict.fromkeys(_METHODS, ())),
        request_filter=FieldFilter([]),
        request_fields=b"",
        response_set=(),
        response_rules=FieldRules(),
        own_set=own_set,
        privacy=(),
        organization_field="",
        url_mapping=UrlMapping(),
        prefix_field="",
        unsaid=(),
        connect_timeout_s=0.0,
        first_byte_timeout_s=0.0,
        total_timeout_s=0.0,
        idle_timeout_s=0.0,
        events_idle_timeout_s=0.0,
        subject_field="",
        cors=cors,
    )
