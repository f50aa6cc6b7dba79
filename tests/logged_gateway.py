"""A gateway that serves requests of a test at its own time, and keeps the lines of its access log."""

import os

from gateway.dry_run.request import DryRequest, exchange_of
from gateway.edge.from_settings import head_checker
from gateway.edge.request_head import Peer
from gateway.exchange import Exchange
from gateway.kernel.ids import Ids
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.observe.access_log import AccessLog
from gateway.observe.metrics import Metrics
from gateway.pipeline import Gateway
from gateway.settings import Config
from gateway.stages.record import Recorder
from gateway.table.compile import build_credentials, build_faults, build_routes
from tests.clocks import ManualClock
from tests.in_memory_gateway import Client
from tests.samples import Echo


class Lines:
    """An Output that keeps what is written."""

    dropped = 0

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, line: bytes) -> None:
        self.lines.append(line)

    put_from_anywhere = put

    def start(self) -> object:
        return self

    def close(self, timeout_s: float) -> bool:
        return True


class LoggedGateway:
    """Serves `config`. `lines` is its log."""

    def __init__(self, config: Config, clock: ManualClock, limiter: LocalLimiter | None = None) -> None:
        faults = build_faults(config)
        output = Lines()
        self.lines = output.lines
        upstreams = {each.id: Echo() for each in config.upstreams}
        for name, echo in upstreams.items():
            echo.id = name
        self._gateway = Gateway(
            table=build_routes(config, upstreams, faults),
            credentials=build_credentials(config),
            limiter=limiter or LocalLimiter(clock.clock),
            recorder=Recorder(Metrics(), AccessLog(output, clock.clock.wall), "X-Api-Key"),
            clock=clock.clock,
            faults=faults,
            id_field="X-Request-Id",
        )
        self._checker = head_checker(config.server.listeners[0], Ids(os.urandom), clock.clock.monotonic, 1)

    async def serve(
        self, method: str, target: str, secret: str = "", organization: str = "", client: str = "192.0.2.7"
    ) -> Exchange:
        """Serve one request, and return its exchange."""
        headers = [("X-Api-Key", secret)] if secret else []
        headers += [("X-Tenant-Org-Id", organization)] if organization else []
        request = DryRequest(method=method, target=target, headers=tuple(headers))
        x = exchange_of(request, self._checker, Peer(client, "http", trusted=False), request.head("h"))
        await self._gateway.handle(x, Client().send)
        return x
