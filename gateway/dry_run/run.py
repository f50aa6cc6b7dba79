"""Runs requests through the stages of the gateway, and sends nothing."""

import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import NamedTuple

from gateway.dry_run.request import DryRequest, exchange_of
from gateway.dry_run.table import DryTable
from gateway.edge.from_settings import head_checker
from gateway.edge.request_head import Peer
from gateway.exchange import Exchange, Reply
from gateway.kernel.clock import Clock
from gateway.kernel.faults import Fault
from gateway.kernel.ids import Ids
from gateway.limiter.interface import Decider
from gateway.net.write_batch import WriteBatch
from gateway.observe.metrics import Metrics
from gateway.openapi.compile import compile_contracts, unchecked
from gateway.pipeline import Gateway
from gateway.settings import Config
from gateway.settings.schema.server import ListenerSettings
from gateway.stages.identify import CallerSource
from gateway.stages.record import Recorder
from gateway.table import Credentials, FoundCaller, Key, RouteTable
from gateway.table.compile import build_credentials, build_faults, build_routes
from gateway.table.keyring import speaking_for
from gateway.table.snapshot import compile_snapshot
from gateway.table.upstreams import AnyUpstream, build_upstreams
from gateway.upstream.call import Answer
from gateway.upstream.maintenance_switch import MaintenanceSwitch

NamedKeys = Callable[[str], "Key | Awaitable[Key | None] | None"]
"""Finds a key by its id."""


class DryRunError(Exception):
    """A dry run that cannot be made, with the reason as its text."""


class Compiled(NamedTuple):
    """A configuration with the parts that a worker compiles from it."""

    config: Config
    table: RouteTable
    credentials: Credentials
    faults: dict[str, Fault]
    upstreams: Mapping[str, AnyUpstream]
    named: NamedKeys


def compiled(config: Config, clock: Clock, *, contracts: bool = True) -> Compiled:
    """Return the parts of a configuration that is not in force. Needs a running event loop; nothing is connected.

    Without `contracts` requests are not checked by the documents of their APIs. Raises PairError for unusable TLS
    files, and ConfigError for unusable documents.
    """
    known = compile_contracts(config) if contracts else unchecked(config)
    snapshot = compile_snapshot(config, None, "dry run")
    upstreams = build_upstreams(config, snapshot.shared_state, Metrics(), clock, WriteBatch())
    faults, credentials = build_faults(config), build_credentials(config)
    table = build_routes(config, upstreams, faults, known.requests, document=known.document)
    return Compiled(config, table, credentials, faults, upstreams, credentials.keyring.named)


class DryResult(NamedTuple):
    """What became of a request: the filled exchange, the table that it was matched by, and its listener."""

    x: Exchange
    table: DryTable
    listener: ListenerSettings


class DryRun:
    """Runs requests through the stages, on the parts of `compiled`. Limits are decided by `limiter`.

    `callers` finds callers by the secrets of keys, None for the keyring of the configuration. `maintenance` is the
    switch of a node, None for one that is off.
    """

    def __init__(
        self,
        compiled: Compiled,
        limiter: Decider,
        clock: Clock,
        callers: CallerSource | None = None,
        maintenance: MaintenanceSwitch | None = None,
    ) -> None:
        self.compiled = compiled
        self.limiter = limiter
        self._clock = clock
        self._callers: CallerSource = callers or compiled.credentials.keyring
        self._ids = Ids(os.urandom)
        self._maintenance = MaintenanceSwitch() if maintenance is None else maintenance

    async def run(self, request: DryRequest, answer: Answer | None = None) -> DryResult:
        """Take `request` through the stages. `answer` is what the upstream answers, None for an empty success.

        Raises DryRunError for an unknown listener or key id, and GatewayError when the keys cannot be read now.
        """
        config = self.compiled.config
        listener = _listener(config.server.listeners, request.listener)
        checker = head_checker(listener, self._ids, self._clock.monotonic, 1)
        peer = Peer(
            request.client,
            "http" if listener.tls is None else "https",
            checker.trusts(request.client),
            request.certificate_subject,
        )
        callers, more = await self._identity(request)
        x = exchange_of(request, checker, peer, request.head("localhost", *more))
        table = DryTable(self.compiled.table.at(listener.id).view(x.host, x.headers), answer)
        gateway = Gateway(
            table=table,
            credentials=self.compiled.credentials,
            limiter=self.limiter,
            recorder=_Unrecorded(),
            clock=self._clock,
            faults=self.compiled.faults,
            id_field=config.observability.request_id.header,
            callers=callers,
            maintenance=self._maintenance,
        )
        if listener.redirect is not None:
            gateway = gateway.redirecting(listener.redirect_port)
        await gateway.handle(x, _discard)
        return DryResult(x, table, listener)

    async def _identity(self, request: DryRequest) -> tuple[CallerSource, tuple[tuple[str, str], ...]]:
        """Return who finds the caller, and the header fields that prove it."""
        if not request.key_id:
            return self._callers, ()
        found = self.compiled.named(request.key_id)
        key = await found if isawaitable(found) else found
        if key is None:
            raise DryRunError("there is no key of this id")
        return _Named(key), ((str(self.compiled.credentials.key_header), secrets.token_hex()),)


class _Named:
    """Takes every proof for that of `key`. The stages accept one proof in a request, and the dry run adds its own."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def find(self, _: str, organization: str | None, wall_s: float, __: str, ___: bytes = b"", /) -> FoundCaller:
        """See `CallerSource.find`."""
        return speaking_for(self._key, organization, wall_s)

    certified = find


class _Unrecorded(Recorder):
    """Records nothing. A bug is raised and not logged."""

    def __init__(self) -> None:
        """There is nothing to count."""
        self.begin = _nothing

    def bug(self, error: Exception, request_id: str) -> None:  # noqa: ARG002  the signature of Recorder
        """Raise `error`."""
        raise error

    def unmeasured(self, quota: str) -> None:
        """See `Recorder.unmeasured`."""

    def record(self, x: Exchange, now_s: float) -> None:
        """See `Recorder.record`."""


def _nothing() -> None:
    """Count nothing."""


async def _discard(reply: Reply) -> int:
    return len(reply.body) + len(reply.content) + len(reply.tail)


def _listener(listeners: Sequence[ListenerSettings], wanted: str) -> ListenerSettings:
    """Return the listener with that id. "" stands for the first one that does not redirect."""
    if not wanted:
        return next((each for each in listeners if each.redirect is None), listeners[0])
    for each in listeners:
        if wanted == each.id:
            return each
    raise DryRunError(f"there is no listener `{wanted}`: {', '.join(each.id for each in listeners)}")
