"""The life of a request: the stages in their order."""

from asyncio import CancelledError
from collections.abc import Awaitable

from gateway.exchange import Exchange, Reply, Send, SentBytes
from gateway.kernel.faults import CLIENT_CLOSED, GatewayError
from gateway.kernel.http.path_safety import merged
from gateway.pipeline.last_steps import last_steps
from gateway.pipeline.other_answers import answer_error, answer_otherwise, answer_preflight
from gateway.pipeline.parts import Parts
from gateway.reuse.idempotency import ONCE_ONLY
from gateway.stages.cors import preflight_policy
from gateway.stages.identify import authorize, identify, take_credentials
from gateway.stages.limit import limit_error
from gateway.stages.normalize import normalize
from gateway.stages.prepare import prepare, read_body, shorten_timeout, whole_body
from gateway.stages.redirect import redirect
from gateway.stages.response_headers import response_headers
from gateway.stages.settle import conclude, settle
from gateway.stages.steer import steer
from gateway.table import Caller, Route
from gateway.upstream.call import BODY_PIECE_BYTES, Call


class Gateway(Parts):
    """Answers exchanges."""

    async def handle(self, x: Exchange, send: Send) -> None:
        """Answer `x` through `send`, then record it, whatever happens."""
        self.recorder.begin()
        try:
            try:
                reply: Reply | Exception = await self._answer(x)
                reply = reply if isinstance(reply, Reply) else await answer_error(self, x, reply)
            except CancelledError:
                if x.ended is None:
                    raise
                reply = x.ended
            except Exception as error:
                reply = error
            reply = reply if isinstance(reply, Reply) else await answer_error(self, x, reply)
            reply = x.reply = response_headers(reply, x, self.id_field, self.table.unrouted)
            if x.reservation is not None:
                await self.at_last(x, settle(x, x.reservation, self.recorder.unmeasured))
            if not reply.text and (steps := last_steps(self, x, reply)) is not None:
                await steps
            x.sent_bytes = sent.count if isinstance(sent := send(reply), SentBytes) else await sent
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
        table = self.table
        if table.views is not None:
            table = table.view(x.host, x.headers)
        if x.method == "OPTIONS" and (policy := preflight_policy(x, table)) is not None:
            return policy if isinstance(policy, GatewayError) else await answer_preflight(self, x, policy)
        route = table.match(x.method, x.path, x.line)
        if not isinstance(route, Route):
            return route
        x.route, plain = route, route.plain
        if route.maintenance is not None or self.switch.memory[0]:
            closed = self.switch.refusal(route.maintenance, self.faults, self.clock.wall())
            if closed is not None:
                return closed
        found = (
            identify(x, self.credentials, self.callers, self.clock.wall)
            if plain or not x.is_open
            else self.visitors.find(x.client, route.open_plan, route.open_windows, route.open_tag)
        )
        if not isinstance(found, Caller):
            found = found if isinstance(found, GatewayError) else await found
            if isinstance(found, GatewayError):
                return found
        caller = x.caller = found
        if not (plain and caller.unrestricted) and (refusal := authorize(caller, route, x, table)) is not None:
            return refusal
        if "//" in x.path:
            x.path = merged(x.path)
        began = self.clock.monotonic()
        tariff = None if plain else self.cache.tariff(x, route, caller)
        claim = x.claim = caller.claim if tariff is None else tariff.claim(caller, x.method)
        try:
            decided = self.decide_at(claim, began) if self.decide_at is not None else await self.limiter.decide(claim)
        finally:
            x.decided = ended = self.clock.monotonic()
            x.limiter_s = ended - began
        x.decision, x.reservation = decided, decided.reservation
        if not decided.allowed:
            return limit_error(decided, claim.cost)
        if plain and not x.upgrade:
            return await self._call(x, route, caller)
        return await answer_otherwise(self, x, route, caller, self._call)

    def _call(self, x: Exchange, route: Route, caller: Caller) -> Awaitable[Reply]:
        """Return what sends `x` to the service and gets its reply. Raises GatewayError, as does what is returned."""
        if route.plain and (body := b"" if x.body is None else whole_body(x, x.body, self.read_ahead)) is not None:
            call = x.call = prepare(x, route, caller, self.id_field, body)
            return self._send(x, route, call)
        return self._call_in_steps(x, route, caller)

    async def _call_in_steps(self, x: Exchange, route: Route, caller: Caller) -> Reply:
        """Do what `_call` does for a body that arrives, or on a route that looks at calls before they are sent."""
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
            answer = x.answer = await route.upstream.send(call)
        finally:
            x.upstream_s = self.clock.monotonic() - began
            if x.body is not None:  # while a body is passed on, waiting for its rest is not the upstream's time
                self.read_ahead.release(x)
                x.upstream_s -= x.body.waited_s - x.client_s
                x.client_s = x.body.waited_s
        if len(answer.body) > BODY_PIECE_BYTES and answer.stream is None:
            await self.loop_budget.take(len(answer.body))
        return normalize(answer, x, route)
