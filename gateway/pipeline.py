"""The life of a request: the stages in their order."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from copy import copy
from functools import partial

from gateway.exchange import Exchange, Reply, Send, SentBytes
from gateway.kernel.clock import Clock
from gateway.kernel.faults import CLIENT_CLOSED, INTERNAL_ERROR, METHOD_NOT_ALLOWED, Fault, GatewayError
from gateway.kernel.http.cors import CorsPolicy
from gateway.kernel.http.path_safety import merged
from gateway.kernel.limits.quota import Reservation
from gateway.kernel.limits.token_bucket import Decision
from gateway.limiter.interface import Decider
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.net.compressor import Compressor
from gateway.net.loop_budget import LoopBudget
from gateway.reuse.cache import ReplyCache
from gateway.reuse.idempotency import ONCE_ONLY, IdempotencyKeys
from gateway.stages.compress import compress
from gateway.stages.cors import add_cors, preflight, preflight_policy
from gateway.stages.error_reply import error_reply
from gateway.stages.identify import CallerSource, authorize, identify, take_credentials
from gateway.stages.limit import require_allowed
from gateway.stages.limits_endpoint import limits_endpoint
from gateway.stages.normalize import normalize
from gateway.stages.openapi_endpoint import openapi_endpoint
from gateway.stages.prepare import ReadAhead, prepare, read_body, shorten_timeout
from gateway.stages.record import Recorder
from gateway.stages.redirect import redirect
from gateway.stages.response_headers import response_headers
from gateway.stages.self_service import self_service
from gateway.stages.settle import conclude, settle
from gateway.stages.steer import steer
from gateway.stages.upgrade import SWITCHED, ask_to_switch, require_upgrade, switched
from gateway.stages.validate import validate
from gateway.table import Caller, Credentials, Route, RouteTable, Visitors
from gateway.table.cors import PREFLIGHTS
from gateway.upstream.call import BODY_PIECE_BYTES, Call
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from gateway.usage.report import Accounts


class Gateway:
    """Answers exchanges. `faults` is the catalogue with the operator's overrides, `id_field` that of the request id.

    `callers` finds callers by keys, None: in the configuration. The others are for bodies, kept and repeated replies.
    """

    def __init__(
        self,
        *,
        table: RouteTable,
        credentials: Credentials,
        limiter: Decider,
        recorder: Recorder,
        clock: Clock,
        faults: dict[str, Fault],
        id_field: str,
        callers: CallerSource | None = None,
        read_ahead: ReadAhead | None = None,
        compressor: Compressor | None = None,
        maintenance: MaintenanceSwitch | None = None,
        cache: ReplyCache | None = None,
        idempotency: IdempotencyKeys | None = None,
    ) -> None:
        self.table = table
        self.credentials = credentials
        self.limiter = limiter
        self._decide_now = limiter.decide_now if type(limiter) is LocalLimiter else None
        self.recorder = recorder
        self.clock = clock
        self.faults = faults
        self.id_field = id_field
        self.callers: CallerSource = credentials.keyring if callers is None else callers
        self.read_ahead = ReadAhead() if read_ahead is None else read_ahead
        self.cache = ReplyCache(table.routes, clock, recorder.unattended) if cache is None else cache
        self.idempotency = IdempotencyKeys.in_memory(clock) if idempotency is None else idempotency
        self.compressor = Compressor() if compressor is None else compressor
        self._switch = MaintenanceSwitch() if maintenance is None else maintenance
        self._maintenance = self._switch.memory
        self._loop_budget = LoopBudget()
        self._visitors = Visitors()
        self._accounts = Accounts(limiter, table.routes)
        self._respond: Callable[[Exchange], Awaitable[Reply]] = self._forward

    def redirecting(self, port: int) -> "Gateway":
        """Return a gateway that redirects every request to https at `port`, and asks no limiter and no upstream."""
        redirecting = copy(self)
        redirecting._respond = partial(redirecting._redirect, port)
        return redirecting

    def at_listener(self, listener: str) -> "Gateway":
        """Return the gateway for the requests of a listener: itself, unless some route is for one listener only."""
        if self.table.listeners is None:
            return self
        one = copy(self)
        one.table = self.table.at(listener)
        one._respond = one._forward
        return one

    async def handle(self, x: Exchange, send: Send) -> None:
        """Answer `x` through `send`, then record it, whatever happens."""
        self.recorder.begin()
        try:
            try:
                reply = await self._respond(x)
            except CancelledError:
                if x.ended is None:
                    raise
                reply = await self._error_reply(x, x.ended)
            except Exception as error:
                reply = await self._error_reply(x, error)
            x.reply = response_headers(reply, x, self.id_field, self.table.unrouted)
            if (cross_origin := self.table.cross_origin) is not None:
                add_cors(x.reply, x, cross_origin)
            if x.reservation is not None:
                await self._finish(x, settle(x, x.reservation, self.recorder.unmeasured))
            if x.answer is not None and len(x.answer.body) > BODY_PIECE_BYTES:
                x.answer.body = x.answer.body[: self.read_ahead.kept_bytes]  # a slow client must not keep all of it
            compression = self.table.compression if x.route is None else x.route.compression
            if compression is not None:
                await self._finish(x, compress(x.reply, x, compression, self.compressor))
            x.sent_bytes = sent.count if isinstance(sent := send(x.reply), SentBytes) else await sent
        except (CancelledError, ConnectionError) as gone:  # the client left; the call to the upstream ends with it
            x.error = x.error or x.ended or GatewayError(CLIENT_CLOSED, cause=type(gone).__name__)
            x.outcome = "abandoned" if x.ended is None or x.ended.fault.source == "client" else "cut"
            if x.reply is not None and x.reply.stream is not None:
                x.reply.stream.close()
            if isinstance(gone, CancelledError):
                raise
        except GatewayError as broken:  # a streamed reply broke off, and `send` has closed the connection
            x.error, x.outcome = broken.kept(), "cut"
        finally:
            if x.answer is not None and x.answer.stream is not None:
                x.upstream_s += x.answer.stream.waited_s
            if x.reservation is not None:
                self._conclude(x, x.reservation)
            if x.read_ahead:  # no call was sent with this body
                self.read_ahead.release(x)
            self.recorder.record(x, self.clock.monotonic())

    async def _finish(self, x: Exchange, step: Awaitable[None]) -> None:
        """Take a last step before the reply is sent. A bug in it must not cost the client its reply."""
        try:
            await step
        except Exception as bug:
            self.recorder.bug(bug, x.request_id)

    def _conclude(self, x: Exchange, reservation: Reservation) -> None:
        """Settle the quotas that are still open. A bug in that must not keep the exchange from being recorded."""
        try:
            conclude(x, reservation, self.recorder.unmeasured)
        except Exception as bug:
            self.recorder.bug(bug, x.request_id)

    async def _error_reply(self, x: Exchange, error: Exception) -> Reply:
        """Return the reply to an exchange that `error` has ended. Only here an error becomes a reply."""
        if isinstance(error, GatewayError):
            x.error = error.kept()
        else:  # the client gets an envelope, and the log the traceback
            self.recorder.bug(error, x.request_id)
            x.error = GatewayError(INTERNAL_ERROR, cause=type(error).__name__)
        if x.decision is None:
            await self._peek(x)
        if x.route is None and x.error.fault is METHOD_NOT_ALLOWED:
            x.near = self.table.view(x.host, x.headers).near(x.path)
        fault, family = x.error.fault, x.route.family if x.route else "general"
        return error_reply(x.error, x.error.row or self.faults.get(fault.name, fault), x.request_id, family)

    async def _redirect(self, port: int, x: Exchange) -> Reply:
        """Return the redirect for `x`. Raises GatewayError."""
        if x.head_error is not None:
            raise x.head_error
        take_credentials(x, self.credentials)
        return redirect(x, port)

    async def _forward(self, x: Exchange) -> Reply:
        """Take `x` through the stages and return its reply. Raises GatewayError."""
        if x.head_error is not None:
            raise x.head_error
        take_credentials(x, self.credentials)
        table = self.table if self.table.views is None else self.table.view(x.host, x.headers)
        if x.method == "OPTIONS" and (policy := preflight_policy(x, table)) is not None:
            return await self._preflight(x, policy)
        route = self._match(x, table)
        found = (
            self._visitors.find(x.client, route.open_plan, route.open_windows, route.open_tag)
            if route.open and (route.document is None or not x.shows_key)
            else identify(x, self.credentials, self.callers, self.clock.wall())
        )
        caller = x.caller = found if isinstance(found, Caller) else await found
        authorize(caller, route, x)
        if caller.routes is not None:
            table.permit(caller.routes, route, x.method, x.path)
        x.path = merged(x.path) if "//" in x.path else x.path
        began = self.clock.monotonic()
        tariff = route.tariff if route.caching is None else self.cache.tariff(x, route, caller)
        claim = x.claim = caller.claim if tariff is None else tariff.claim(caller, x.method)
        try:
            decided = self._decide_now(claim) if self._decide_now is not None else await self.limiter.decide(claim)
        finally:
            x.decided = self.clock.monotonic()
            x.limiter_s = x.decided - began
        x.decision, x.reservation = decided, decided.reservation
        if not decided.allowed:
            require_allowed(decided, claim.cost)
        if route.request is not None:
            await validate(x, route.request, self.read_ahead, self._loop_budget)
        if x.upgrade or route.upstream is None:
            return await self._answer_otherwise(x, route, caller, x.decision)
        if route.caching is not None:
            return self.cache.at_once(x, route, caller) or await self.cache.answer(x, route, caller, self._call)
        return await self._call(x, route, caller)

    async def _call(self, x: Exchange, route: Route, caller: Caller) -> Reply:
        """Send `x` to the service and return its reply. Raises GatewayError."""
        if x.body is None:
            call = x.call = prepare(x, route, caller, self.id_field)
        else:
            call = x.call = prepare(x, route, caller, self.id_field, await read_body(x, x.body, self.read_ahead))
            shorten_timeout(call, self.clock.monotonic() - x.started)
        if route.steering is not None:
            steer(x, call, caller, route.steering)
        if route.idempotency is not None and x.method in ONCE_ONLY:
            return await self.idempotency.answer(x, route, caller, route.idempotency, call, self._send)
        return await self._send(x, route, call)

    async def _send(self, x: Exchange, route: Route, call: Call) -> Reply:
        """Send a prepared call to the service and return its reply. Raises GatewayError."""
        assert route.upstream is not None
        began = x.called = self.clock.monotonic()
        try:
            x.answer = await route.upstream.send(call)
        finally:
            x.upstream_s = self.clock.monotonic() - began
            if x.read_ahead:
                self.read_ahead.release(x)
            if x.body is not None:  # while a body is passed on, waiting for its rest is not the upstream's time
                x.upstream_s -= x.body.waited_s - x.client_s
                x.client_s = x.body.waited_s
        if len(x.answer.body) > BODY_PIECE_BYTES and x.answer.stream is None:
            await self._loop_budget.take(len(x.answer.body))
        return normalize(x.answer, x, route)

    async def _answer_otherwise(self, x: Exchange, route: Route, caller: Caller, decision: Decision) -> Reply:
        """Answer at the gateway itself, or pass on a handshake, whose reply may open a tunnel. Raises GatewayError."""
        if not x.upgrade:
            if route.self_service is not None:
                return await self_service(x, caller, route.self_service)
            if route.document is not None or route.file is not None:
                return await openapi_endpoint(x, route, caller)
            return await limits_endpoint(x, caller, decision, self._accounts)
        upstream = require_upgrade(x, route)
        call = x.call = ask_to_switch(x, prepare(x, route, caller, self.id_field))
        if route.steering is not None:
            steer(x, call, caller, route.steering)
        began = x.called = self.clock.monotonic()
        try:
            x.answer = await upstream.send(call)
        finally:
            x.upstream_s = self.clock.monotonic() - began
        if x.answer.status != SWITCHED:
            return normalize(x.answer, x, route)
        self.recorder.opened(x, self.clock.monotonic())
        return switched(x.answer, route)

    async def _preflight(self, x: Exchange, policy: CorsPolicy) -> Reply:
        """Answer a preflight, within the limits of its client address. Raises GatewayError."""
        limits = self.table.cross_origin
        assert limits is not None
        caller = x.caller = self._visitors.find(x.client, PREFLIGHTS, limits.windows, limits.tag)
        x.claim = caller.claim
        x.decision = await self.limiter.decide(caller.claim)
        require_allowed(x.decision, caller.claim.cost)
        return preflight(x, policy)

    def _match(self, x: Exchange, table: RouteTable) -> Route:
        """Return the route of `x`. Raises GatewayError, also while it, or every route, is under maintenance."""
        route = x.route = table.match(x.method, x.path)
        if route.maintenance is not None or self._maintenance[0]:
            self._switch.require_open(route.maintenance, self.faults, self.clock.wall())
        return route

    async def _peek(self, x: Exchange) -> None:
        """Read the caller's limits at no cost, because errors before the limiter show them, too."""
        if x.head_error is not None or (x.caller is None and x.route is not None) or x.limiter_s:
            return
        try:
            if x.caller is None:
                found = identify(x, self.credentials, self.callers, self.clock.wall())
                x.caller = found if isinstance(found, Caller) else await found
            x.claim = x.caller.peek
            x.decision = await self.limiter.decide(x.claim)
            x.peeked = True
        except GatewayError:
            return
        except Exception as bug:  # the error is answered all the same
            self.recorder.bug(bug, x.request_id)
