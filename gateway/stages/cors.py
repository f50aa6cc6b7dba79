"""Answers preflights of browsers, and adds the fields of CORS to every reply. Pages cannot read errors without them.

Law: a preflight asks for no key and costs no caller anything. It is limited for each client address, in a bucket of its
own. It reaches no service.
"""

from multidict import istr

from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import METHOD_NOT_ALLOWED, NO_ROUTE, ORIGIN_FORBIDDEN, GatewayError
from gateway.kernel.http.cors import CorsPolicy, without_cors
from gateway.kernel.http.response_headers import Line
from gateway.table import RouteTable
from gateway.table.cors import CrossOrigin

_ORIGIN, _METHOD = istr("Origin"), istr("Access-Control-Request-Method")
_ALLOWED = 204
_PREFLIGHT_VARY: Line = ("Vary", "Access-Control-Request-Method")


def preflight_policy(x: Exchange, table: RouteTable) -> CorsPolicy | GatewayError | None:
    """Return the policy for the request that a preflight announces, and store its route on `x`.

    None when `x`, an OPTIONS request, is no preflight or nothing of it has a policy. A refusal in place of the policy
    is for a path that no method can be asked for.
    """
    method = x.headers.get(_METHOD)
    if table.cross_origin is None or method is None or _ORIGIN not in x.headers:
        return None
    route = table.match(method, x.path)
    if isinstance(route, GatewayError):
        if route.fault is METHOD_NOT_ALLOWED:
            x.near = table.near(x.path)
            return None if x.near is None else x.near.cors
        return table.cross_origin.unrouted if route.fault is NO_ROUTE else route
    if route.cors is not None:
        x.route = route
    return route.cors


def preflight(x: Exchange, policy: CorsPolicy) -> Reply | GatewayError:
    """Return the reply to a preflight, or the refusal ORIGIN_FORBIDDEN."""
    if not policy.allows(x.headers.get(_ORIGIN)):
        return GatewayError(ORIGIN_FORBIDDEN)
    return Reply(_ALLOWED, [_PREFLIGHT_VARY], b"", length=0)


def add_cors(reply: Reply, x: Exchange, cross_origin: CrossOrigin) -> None:
    """Put the fields of the route's policy, if it has one, in place of all others of CORS."""
    route = x.route or x.near
    policy = cross_origin.unrouted if route is None else route.cors
    if policy is None:
        return
    is_preflight = reply.status == _ALLOWED and reply.source == "gateway" and x.method == "OPTIONS"
    fields = policy.fields(x.headers.get(_ORIGIN), preflight=is_preflight)
    reply.fields = [*without_cors(reply.fields), *fields]
