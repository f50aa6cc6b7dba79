"""What a gateway is made of."""

from collections.abc import Awaitable
from typing import Self

from gateway.exchange import Exchange
from gateway.kernel.clock import Clock
from gateway.kernel.faults import Fault
from gateway.limiter.interface import Decider
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.net.compressor import Compressor
from gateway.net.loop_budget import LoopBudget
from gateway.reuse.cache import ReplyCache
from gateway.reuse.idempotency import IdempotencyKeys
from gateway.stages.identify import CallerSource
from gateway.stages.prepare import ReadAhead
from gateway.stages.record import Recorder
from gateway.table import Credentials, RouteTable, Visitors
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from gateway.usage.report import Accounts


class Parts:
    """The parts that the steps of a request use. All gateways of a process share them, except for `table`.

    `faults` is the catalogue with the operator's overrides, `id_field` the header field of the request id. `callers`
    finds callers by keys, None: in the configuration. `decide_at` is set where limits are decided without a wait.
    `https_port` is set where every request is redirected to https at that port. The others are for bodies, kept and
    repeated replies.
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
        loop_budget: LoopBudget | None = None,
        visitors: Visitors | None = None,
        accounts: Accounts | None = None,
        https_port: int | None = None,
    ) -> None:
        self.table = table
        self.credentials = credentials
        self.limiter = limiter
        self.decide_at = limiter.decide_at if type(limiter) is LocalLimiter else None
        self.recorder = recorder
        self.clock = clock
        self.faults = faults
        self.id_field = id_field
        self.callers: CallerSource = credentials.keyring if callers is None else callers
        self.read_ahead = ReadAhead() if read_ahead is None else read_ahead
        self.cache = ReplyCache(table.routes, clock, recorder.unattended) if cache is None else cache
        self.idempotency = IdempotencyKeys.in_memory(clock) if idempotency is None else idempotency
        self.compressor = Compressor() if compressor is None else compressor
        self.switch = MaintenanceSwitch() if maintenance is None else maintenance
        self.loop_budget = LoopBudget() if loop_budget is None else loop_budget
        self.visitors = Visitors() if visitors is None else visitors
        self.accounts = Accounts(limiter, table.routes) if accounts is None else accounts
        self.https_port = https_port

    async def at_last(self, x: Exchange, step: Awaitable[None]) -> None:
        """Take a last step before the reply is sent. A bug in it must not cost the client its reply."""
        try:
            await step
        except Exception as bug:
            self.recorder.bug(bug, x.request_id)

    def redirecting(self, port: int) -> Self:
        """Return a gateway that redirects every request to https at `port`, and asks no limiter and no upstream."""
        return self._with(self.table, port)

    def at_listener(self, listener: str) -> Self:
        """Return the gateway for the requests of a listener: itself, unless some route is for one listener only."""
        if self.table.listeners is None:
            return self
        return self._with(self.table.at(listener), self.https_port)

    def _with(self, table: RouteTable, https_port: int | None) -> Self:
        return type(self)(
            table=table,
            credentials=self.credentials,
            limiter=self.limiter,
            recorder=self.recorder,
            clock=self.clock,
            faults=self.faults,
            id_field=self.id_field,
            callers=self.callers,
            read_ahead=self.read_ahead,
            compressor=self.compressor,
            maintenance=self.switch,
            cache=self.cache,
            idempotency=self.idempotency,
            loop_budget=self.loop_budget,
            visitors=self.visitors,
            accounts=self.accounts,
            https_port=https_port,
        )
