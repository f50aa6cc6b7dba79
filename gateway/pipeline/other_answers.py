"""Answers that no ordinary call to a service gives: errors, preflights, the gateway's own endpoints and tunnels."""

from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import INTERNAL_ERROR, METHOD_NOT_ALLOWED, GatewayError
from gateway.kernel.http.cors import CorsPolicy
from gateway.pipeline.parts import Parts
from gateway.reuse.fetch import Fetch
from gateway.stages.cors import preflight
from gateway.stages.error_reply import error_reply
from gateway.stages.identify import identify
from gateway.stages.limit import limit_error
from gateway.stages.limits_endpoint import limits_endpoint
from gateway.stages.normalize import normalize
from gateway.stages.openapi_endpoint import openapi_endpoint
from gateway.stages.prepare import prepare
from gateway.stages.self_service import self_service
from gateway.stages.steer import steer
from gateway.stages.upgrade import SWITCHED, ask_to_switch, require_upgrade, switched
from gateway.stages.validate import validate
from gateway.table import Caller, Route
from gateway.table.cors import PREFLIGHTS


async def answer_error(parts: Parts, x: Exchange, error: Exception) -> Reply:
    """Return the reply to an exchange that `error` has ended. Only here an error becomes a reply."""
    if not isinstance(error, GatewayError):  # the client gets an envelope, and the log the traceback
        parts.recorder.bug(error, x.request_id)
        error = GatewayError(INTERNAL_ERROR, cause=type(error).__name__)
    x.error = error.kept()
    route, fault = x.route, error.fault
    # errors before the limiter show the limits of a caller, too, unless it is not known who calls
    if x.decision is None and (x.caller is not None or route is None) and x.head_error is None and not x.limiter_s:
        await _peek(parts, x)
    row, table = error.row or parts.faults.get(fault.name, fault), parts.table
    if route is not None:
        family, own_text, compression = route.family, route.own_text, route.compression
    else:
        if fault is METHOD_NOT_ALLOWED:
            x.near = table.view(x.host, x.headers).near(x.path)
        family, own_text = "general", table.unrouted_text if x.near is None else x.near.own_text
        compression = table.compression
    if x.answer is None and compression is None and table.cross_origin is None:
        return error_reply(error, row, x.request_id, family, own_text)
    reply = error_reply(error, row, x.request_id, family)
    reply.all_fields()  # it needs the last steps, and gets the fields of its route with the others
    return reply


async def answer_preflight(parts: Parts, x: Exchange, policy: CorsPolicy) -> Reply | GatewayError:
    """Return the answer to a preflight, or why it is refused: it has the limits of its client address."""
    limits = parts.table.cross_origin
    assert limits is not None
    caller = x.caller = parts.visitors.find(x.client, PREFLIGHTS, limits.windows, limits.tag)
    x.claim = caller.claim
    x.decision = await parts.limiter.decide(caller.claim)
    return preflight(x, policy) if x.decision.allowed else limit_error(x.decision, caller.claim.cost)


async def answer_otherwise(parts: Parts, x: Exchange, route: Route, caller: Caller, call: Fetch) -> Reply:
    """Answer a request that was let through, on a route that is not plain, or that opens a WebSocket.

    `call` calls the service. Raises GatewayError.
    """
    if route.request is not None:
        await validate(x, route.request, parts.read_ahead, parts.loop_budget)
    if x.upgrade:
        return await _answer_handshake(parts, x, route, caller)
    if route.upstream is None:
        return await _answer_here(parts, x, route, caller)
    if route.caching is not None:
        return parts.cache.at_once(x, route, caller) or await parts.cache.answer(x, route, caller, call)
    return await call(x, route, caller)


async def _answer_here(parts: Parts, x: Exchange, route: Route, caller: Caller) -> Reply:
    """Answer at the gateway itself, for a route without a service. Raises GatewayError."""
    if route.self_service is not None:
        return await self_service(x, caller, route.self_service)
    if route.document is not None or route.file is not None:
        return await openapi_endpoint(x, route, caller)
    assert x.decision is not None
    return await limits_endpoint(x, caller, x.decision, parts.accounts)


async def _answer_handshake(parts: Parts, x: Exchange, route: Route, caller: Caller) -> Reply:
    """Pass a handshake on to the service, whose reply may open a tunnel. Raises GatewayError."""
    upstream = require_upgrade(x, route)
    call = x.call = ask_to_switch(x, prepare(x, route, caller, parts.id_field))
    if route.steering is not None:
        steer(x, call, caller, route.steering)
    began = x.called = parts.clock.monotonic()
    try:
        x.answer = await upstream.send(call)
    finally:
        x.upstream_s = parts.clock.monotonic() - began
    if x.answer.status != SWITCHED:
        return normalize(x.answer, x, route)
    parts.recorder.opened(x, parts.clock.monotonic())
    return switched(x.answer, route)


async def _peek(parts: Parts, x: Exchange) -> None:
    """Read the caller's limits at no cost, if there is one."""
    try:
        if x.caller is None:
            found = identify(x, parts.credentials, parts.callers, parts.clock.wall)
            found = found if isinstance(found, (Caller, GatewayError)) else await found
            if isinstance(found, GatewayError):
                return
            x.caller = found
        x.claim = x.caller.peek
        x.decision = await parts.limiter.decide(x.claim)
        x.peeked = True
    except GatewayError:
        return
    except Exception as bug:  # the error is answered all the same
        parts.recorder.bug(bug, x.request_id)
