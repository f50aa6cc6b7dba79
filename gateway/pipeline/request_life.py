"""The life of a request: the stages in their order."""

from asyncio import CancelledError

from gateway.exchange import Exchange, Reply, Send, SentBytes
from gateway.kernel.faults import CLIENT_CLOSED, GatewayError
from gateway.kernel.http.path_safety import merged
from gateway.pipeline.other_answers import answer_error, answer_handshake, answer_here, answer_preflight
from gateway.pipeline.parts import Parts
from gateway.reuse.idempotency import ONCE_ONLY
from gateway.stages.compress import compress
from gateway.stages.cors import add_cors, preflight_policy
from gateway.stages.identify import authorize, identify, take_credentials
from gateway.stages.limit import limit_error
from gateway.stages.normalize import normalize
from gateway.stages.prepare import prepare, read_body, shorten_timeout
from gateway.stages.redirect import redirect
from gateway.stages.response_headers import response_headers
from gateway.stages.settle import conclude, settle
from gateway.stages.steer import steer
from gateway.stages.validate import validate
from gateway.table import Caller, Route
from gateway.upstream.call import BODY_PIECE_BYTES, Call


class Gateway(Parts):
    """Answers exchanges."""

    async def handle(self, x: Exchange, send: Send) -> None:
        """Answer `x` through `send`, then record it, whatever happens."""
        self.recorder.begin()
        try:
            try:
                reply = await self._answer(x)
                if isinstance(reply, GatewayError):
                    reply = await answer_error(self, x, reply)
            except CancelledError:
                if x.ended is None:
                    raise
                reply = await answer_error(self, x, x.ended)
            except Exception as error:
                reply = await answer_error(self, x, error)
            x.reply = response_headers(reply, x, self.id_field, self.table.unrouted)
            if (cross_origin := self.table.cross_origin) is not None:
                add_cors(x.reply, x, cross_origin)
            if x.reservation is not None:
                await self.at_last(x, settle(x, x.reservation, self.recorder.unmeasured))
            if x.answer is not None and len(x.answer.body) > BODY_PIECE_BYTES:
                x.answer.body = x.answer.body[: self.read_ahead.kept_bytes]  # a slow client must not keep all of it
            compression = self.table.compression if x.route is None else x.route.compression
            if compression is not None:
                await self.at_last(x, compress(x.reply, x, compression, self.compressor))
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
                conclude(x, x.reservation, self.recorder.unmeasured, self.recorder.bug)
            if x.read_ahead:  # no call was sent with this body
                self.read_ahead.release(x)
            self.recorder.record(x, self.clock.monotonic())

    async def _answer(self, x: Exchange) -> Reply | GatewayError:
        """Take `x` through the stages and return its reply, or why it is refused. Raises GatewayError for failures."""
        if x.head_error is not None:
            return x.head_error
        take_credentials(x, self.credentials)
        if self.https_port is not None:
            return redirect(x, self.https_port)
        table = self.table if self.table.views is None else self.table.view(x.host, x.headers)
        if x.method == "OPTIONS" and (policy := preflight_policy(x, table)) is not None:
            return policy if isinstance(policy, GatewayError) else await answer_preflight(self, x, policy)
        route = table.match(x.method, x.path)
        if isinstance(route, GatewayError):
            return route
        x.route = route
        if route.maintenance is not None or self.switch.memory[0]:
            closed = self.switch.refusal(route.maintenance, self.faults, self.clock.wall())
            if closed is not None:
                return closed
        found = (
            self.visitors.find(x.client, route.open_plan, route.open_windows, route.open_tag)
            if route.open and (route.document is None or not x.shows_key)
            else identify(x, self.credentials, self.callers, self.clock.wall())
        )
        if not isinstance(found, Caller):
            found = found if isinstance(found, GatewayError) else await found
            if isinstance(found, GatewayError):
                return found
        caller = x.caller = found
        if (refusal := authorize(caller, route, x, table)) is not None:
            return refusal
        x.path = merged(x.path) if "//" in x.path else x.path
        began = self.clock.monotonic()
        tariff = route.tariff if route.caching is None else self.cache.tariff(x, route, caller)
        claim = x.claim = caller.claim if tariff is None else tariff.claim(caller, x.method)
        try:
            decided = self.decide_now(claim) if self.decide_now is not None else await self.limiter.decide(claim)
        finally:
            x.decided = self.clock.monotonic()
            x.limiter_s = x.decided - began
        x.decision, x.reservation = decided, decided.reservation
        if not decided.allowed:
            return limit_error(decided, claim.cost)
        if route.request is not None:
            await validate(x, route.request, self.read_ahead, self.loop_budget)
        if x.upgrade or route.upstream is None:
            return await (answer_handshake if x.upgrade else answer_here)(self, x, route, caller)
        if route.caching is not None:
            return self.cache.at_once(x, route, caller) or await self.cache.answer(x, route, caller, self._call)
        return await self._call(x, route, caller)

    async def _call(self, x: Exchange, route: Route, caller: Caller) -> Reply:
        """Send `x` to the service and return its reply. Raises GatewayError."""
        body = b"" if x.body is None else await read_body(x, x.body, self.read_ahead)
        call = x.call = prepare(x, route, caller, self.id_field, body)
        if x.body is not None:
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
            await self.loop_budget.take(len(x.answer.body))
        return normalize(x.answer, x, route)
