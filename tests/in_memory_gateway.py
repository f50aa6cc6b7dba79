"""A `Gateway` whose parts are fakes or in memory."""

import json
import os
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import ip_network
from typing import Any

from gateway.exchange import Exchange, Reply
from gateway.kernel.clock import Clock
from gateway.kernel.faults import CATALOGUE, LIMITER_UNAVAILABLE, GatewayError
from gateway.kernel.limits.quota import MeterState, Posting
from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.limiter.interface import Decider
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.observe.access_log import AccessLog
from gateway.observe.metrics import Metrics
from gateway.observe.writer import Writer
from gateway.pipeline import Gateway
from gateway.stages.record import Recorder
from gateway.table import Credentials, Key, Route, RouteTable
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from tests.samples import caller, keyring, route

GOOD = [("X-Api-Key", "good")]
NETWORK = ip_network("10.0.0.0/8")
CLOCK = Clock(lambda: 1.0, lambda: 1_700_000_000.0)


class Client:
    """Receives replies; `send` raises `gone`, if given, after it has kept the reply."""

    def __init__(self, gone: BaseException | None = None) -> None:
        self.replies: list[Reply] = []
        self._gone = gone

    async def send(self, reply: Reply) -> int:
        self.replies.append(reply)
        if self._gone is not None:
            raise self._gone
        return len(reply.body) + len(reply.content) + len(reply.tail)


class UnavailableLimiter:
    """A limiter whose store is unavailable, with the failure policy `deny`."""

    async def decide(self, claim: Claim) -> Decision:
        raise GatewayError(LIMITER_UNAVAILABLE)

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        raise GatewayError(LIMITER_UNAVAILABLE)


def gateway(
    *routes: Route,
    limiter: Decider | None = None,
    allowed: frozenset[str] | None = None,
    maintenance: MaintenanceSwitch | None = None,
    **faults: Any,
) -> Gateway:
    """A Gateway with one known key, `good`, that may call the routes `allowed`."""
    one = caller(routes=allowed)
    keys = keyring(
        {
            sha256(b"good").digest(): Key(
                "acme-ci", {None: one, "acme": one}, disabled=False, disabled_organizations=frozenset(), expires=None
            )
        }
    )
    metrics = Metrics()
    writer = Writer(os.open(os.devnull, os.O_WRONLY))
    return Gateway(
        table=RouteTable(routes or [route()]),
        credentials=Credentials(keys, "X-Api-Key", "X-Api-Key", "X-Tenant-Org-Id"),
        limiter=limiter or LocalLimiter(CLOCK),
        recorder=Recorder(metrics, AccessLog(writer, CLOCK.wall), "X-Api-Key"),
        clock=CLOCK,
        faults={**CATALOGUE, **faults},
        id_field="X-Request-Id",
        maintenance=maintenance,
    )


async def answered(one: Gateway, x: Exchange) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The status, envelope and header fields of the reply to `x`."""
    client = Client()
    await one.handle(x, client.send)
    (reply,) = client.replies
    assert reply is x.reply
    return reply.status, json.loads(reply.body), dict(reply.all_fields())
