"""The life of a request."""

from asyncio import CancelledError

from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.clock import Clock
from gateway.kernel.faults import CLIENT_CLOSED, INTERNAL_ERROR, METHOD_NOT_ALLOWED, Fault, GatewayError
from gateway.kernel.http.path_safety import merged
from gateway.kernel.limits.quota import Reservation
from gateway.keystore.cache import StoredKeys
from gateway.limiter.interface import Limiter
from gateway.net.turns import Turns
from gateway.stages.error_reply import refuse
from gateway.stages.identify import authorize, identify, identify_stored, take_credentials
from gateway.stages.limit import refuse_spent
from gateway.stages.limits_endpoint import tell
from gateway.stages.normalize import normalize
from gateway.stages.prepare import Ahead, prepare
from gateway.stages.record import Recorder
from gateway.stages.redirect import redirect
from gateway.stages.response_headers import dress
from gateway.stages.settle import conclude, settle
from gateway.table import Credentials, RouteTable, Visitors
from gateway.upstream.call import Call
from gateway.usage.report import Accounts

ANSWERED_WITHIN_S = 55.0
"""Clients commonly give up after 60 s: the time that a body took to arrive is taken from the upstream's, unless a route has more."""
SHORTEST_CALL_S = 5.0
LARGE_BYTES = 64 * 1024
"""A body beyond this size is not held longer than somebody needs it, and a reply's is worked on in a turn of its own."""


def _hurry(call: Call, spent_s: float) -> None:
    """Keep to ANSWERED_WITHIN_S, `spent_s` of which are gone."""
    if call.total_timeout_s <= ANSWERED_WITHIN_S < call.total_timeout_s + spent_s:
        call.total_timeout_s = max(SHORTEST_CALL_S, ANSWERED_WITHIN_S - spent_s)


class Gateway:
    """Answers exchanges.

    `faults` is the catalogue with the operator's overrides, for what is refused before a route is known.
    `id_field` is the name of the request-id header field. `stored` are the keys, where they are not in the configuration. `ahead`
    counts what is read ahead.
    """

    def __init__(
        self,
        *,
        table: RouteTable,
        credentials: Credentials,
        limiter: Limiter,
        recorder: Recorder,
        clock: Clock,
        faults: dict[str, Fault],
        id_field: str,
        stored: StoredKeys | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        self.table = table
        self.credentials = credentials
        self.limiter = limiter
        self.recorder = recorder
        self.clock = clock
        self.faults = faults
        self.id_field = id_field
        self.stored = stored
        self.ahead = Ahead() if ahead is None else ahead
        self._turns = Turns()
        self._visitors = Visitors()
        self._accounts = Accounts(limiter, table.routes)

    async def handle(self, x: Exchange, send: Send) -> None:
        """Answer `x` through `send`, then record it, whatever happened."""
        self.recorder.begin()
        try:
            x.reply = dress(await self._answer(x), x, self.id_field, self.table.unrouted)
            if x.hold is not None:
                await self._settle(x, x.hold)
            if x.answer is not None and len(x.answer.body) > LARGE_BYTES:
                x.answer.body = b""  # the reply has what is sent of it, and a slow client must not hold both
            x.sent_bytes = await send(x.reply)
        except (CancelledError, ConnectionError) as gone:  # the client left; the call to the upstream ends with it
            x.error = x.error or x.ended or GatewayError(CLIENT_CLOSED, cause=type(gone).__name__)
            x.outcome = "abandoned" if x.ended is None or x.ended.fault.source == "client" else "cut"
            if x.reply is not None and x.reply.stream is not None:
                x.reply.stream.close()
            if isinstance(gone, CancelledError):
                raise
        except GatewayError as broken:  # a streamed reply broke off; send has cut the connection
            x.error, x.outcome = broken.kept(), "cut"
        finally:
            if x.answer is not None and x.answer.stream is not None:
                x.upstream_s += x.answer.stream.waited_s
            if x.hold is not None:
                self._conclude(x, x.hold)
            self.recorder.record(x, self.clock.monotonic())

    async def _settle(self, x: Exchange, hold: Reservation) -> None:
        """A bug in the accounts of quotas must not cost the client its reply."""
        try:
            await settle(x, hold, self.recorder.unmeasured)
        except Exception as bug:
            self.recorder.bug(bug, x.request_id)

    def _conclude(self, x: Exchange, hold: Reservation) -> None:
        try:
            conclude(x, hold, self.recorder.unmeasured)
        except Exception as bug:
            self.recorder.bug(bug, x.request_id)

    async def _answer(self, x: Exchange) -> Reply:
        """The only place where an error becomes a reply."""
        try:
            return await self._serve(x)
        except GatewayError as error:
            x.error = error.kept()
        except CancelledError:
            if x.ended is None:
                raise
            x.error = x.ended
        except Exception as bug:  # whatever it is, the client gets an envelope, and the log says where
            self.recorder.bug(bug, x.request_id)
            x.error = GatewayError(INTERNAL_ERROR, cause=type(bug).__name__)
        if x.decision is None:
            await self._look(x)
        if x.route is None and x.error.fault is METHOD_NOT_ALLOWED:
            x.near = self.table.near(x.path)
        family = x.route.family if x.route else "general"
        fault = x.error.fault
        return refuse(x.error, x.error.row or self.faults.get(fault.name, fault), x.request_id, family)

    async def _serve(self, x: Exchange) -> Reply:
        """The life of a request."""
        if x.head_error is not None:
            raise x.head_error
        take_credentials(x, self.credentials)
        route = x.route = self.table.match(x.method, x.path)
        if route.open:
            caller = x.caller = self._visitors.find(x.client, route.open_plan, route.open_windows, route.open_tag)
        else:
            stored, wall_s = self.stored, self.clock.wall()
            caller = x.caller = (
                identify(x, self.credentials, wall_s) if stored is None else await identify_stored(x, self.credentials, stored, wall_s)
            )
            authorize(caller, route, x.method)
            if caller.routes is not None:
                self.table.permit(caller.routes, route, x.method, x.path)
        if "//" in x.path:
            x.path = merged(x.path)
        began = self.clock.monotonic()
        claim = x.claim = caller.claim if route.tariff is None else route.tariff.claim(caller, x.method)
        try:
            x.decision = await self.limiter.decide(claim)
        finally:
            x.limiter_s = self.clock.monotonic() - began
        x.hold = x.decision.hold
        refuse_spent(x.decision, claim.cost)
        if route.upstream is None:
            return await tell(x, caller, x.decision, self._accounts)
        began = self.clock.monotonic()
        try:
            call = x.call = await prepare(x, route, caller, self.id_field, self.ahead)
        finally:
            if x.body is not None:
                x.client_s = x.body.waited_s
        if x.body is not None:
            began = self.clock.monotonic()
            _hurry(call, began - x.started)
        try:
            x.answer = await route.upstream.send(call)
        finally:
            x.upstream_s = self.clock.monotonic() - began
            if x.ahead:
                self.ahead.give_back(x)
            if x.body is not None:  # what was waited for the rest of one that is passed on as it comes
                x.upstream_s -= x.body.waited_s - x.client_s
                x.client_s = x.body.waited_s
        if len(x.answer.body) > LARGE_BYTES and x.answer.stream is None:
            await self._turns.take(len(x.answer.body))
        return normalize(x.answer, x, route)

    async def _look(self, x: Exchange) -> None:
        """Every reply to a known caller tells what it has left, a refusal before the limiter too: at no cost."""
        if x.head_error is not None or (x.caller is None and x.route is not None) or x.limiter_s:
            return
        try:
            if x.caller is None:
                stored, wall_s = self.stored, self.clock.wall()
                x.caller = (
                    identify(x, self.credentials, wall_s) if stored is None else await identify_stored(x, self.credentials, stored, wall_s)
                )
            x.claim = x.caller.look
            x.decision = await self.limiter.decide(x.claim)
            x.looked = True
        except GatewayError:
            return
        except Exception as bug:  # the reply is owed all the same
            self.recorder.bug(bug, x.request_id)


class Redirection(Gateway):
    """Sends every request to https at `port`, on behalf of `gateway`: asked of nobody, recorded like all others."""

    def __init__(self, gateway: Gateway, port: int) -> None:
        super().__init__(
            table=gateway.table,
            credentials=gateway.credentials,
            limiter=gateway.limiter,
            recorder=gateway.recorder,
            clock=gateway.clock,
            faults=gateway.faults,
            id_field=gateway.id_field,
            stored=gateway.stored,
        )
        self._port = port

    async def _serve(self, x: Exchange) -> Reply:
        if x.head_error is not None:
            raise x.head_error
        take_credentials(x, self.credentials)
        return redirect(x, self._port)
