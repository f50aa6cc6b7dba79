"""A gateway in memory whose route has a cache, and the service behind it."""

import asyncio
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec

from gateway.exchange import Exchange, Reply
from gateway.kernel.caching.storage import CacheRules
from gateway.kernel.clock import Clock
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.pipeline import Gateway
from gateway.table import Caller, Key, Keyring, Route
from gateway.table.routes import Caching
from gateway.upstream.call import Answer, Call
from tests import in_memory_gateway
from tests.in_memory_gateway import Client
from tests.samples import caller, exchange, keyring, route

RULES = CacheRules(None, 1 << 20, (), "organization", 0.0, 0.0)
JSON = (b"content-type", b"application/json")
FRESH = (b"cache-control", b"max-age=60")
PUBLIC = (b"cache-control", b"public, max-age=60")
ORGANIZATIONS = {"a1": "acme", "a2": "acme", "b1": "bolt", "none": None}
"""Each key, which is its own secret, and its organisation."""


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, lambda: 1_700_000_000.0 + self.now_s)


class CachedService:
    """A Sender that answers with the number of the call. `opened` lets its answers go; `fields` are those it sends."""

    def __init__(self, *fields: tuple[bytes, bytes], status: int = 200) -> None:
        self.id = "orders"
        self.fields: list[tuple[bytes, bytes]] = list(fields)
        self.status = status
        self.body: bytes | None = None
        self.calls: list[Call] = []
        self.error: BaseException | None = None
        self.opened = asyncio.Event()
        self.opened.set()
        self.abandoned = 0
        self.stream: Any = None

    async def send(self, call: Call) -> Answer:
        self.calls.append(call)
        number = len(self.calls)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.abandoned += 1
            raise
        if self.error is not None:
            raise self.error
        body = b'{"call":%d}' % number if self.body is None else self.body
        if self.status == 304:
            body = b""
        return Answer(self.status, [JSON, *self.fields], body, self.stream, len(body), "t")


def cache_rules(**changes: Any) -> CacheRules:
    return msgspec.structs.replace(RULES, **changes)


def cached_route(service: CachedService, rules: CacheRules | None = RULES, **changes: Any) -> Route:
    return route(upstream=service, caching=Caching(rules), **changes)


def cached_gateway(*routes: Route, time: Time | None = None) -> Gateway:
    """With every key of ORGANIZATIONS, none of which has a limit."""
    one = in_memory_gateway.gateway(*routes)
    clock = (time or Time()).clock
    return Gateway(
        table=one.table,
        credentials=one.credentials,
        limiter=LocalLimiter(clock),
        recorder=one.recorder,
        clock=clock,
        faults=one.faults,
        id_field=one.id_field,
        callers=keys(),
    )


def keys() -> Keyring:
    return keyring(
        {
            sha256(secret.encode()).digest(): Key(
                secret, {None: one, organization: one}, disabled=False, disabled_organizations=frozenset(), expires=None
            )
            for secret, organization in ORGANIZATIONS.items()
            for one in [caller_of(secret, organization)]
        }
    )


def caller_of(key: str, organization: str | None) -> Caller:
    unlimited = msgspec.structs.replace(caller().claim, keys=(), windows=())
    return caller(
        id=key, organization=organization, bucket=f"{{{key}}}", head=f"X-Caller-Id: {key}\r\n".encode(), claim=unlimited
    )


def built(*fields: tuple[bytes, bytes], time: Time | None = None, **rules: Any) -> tuple[Gateway, CachedService]:
    """A gateway with one route, whose cache has these rules, and a service that answers with these fields."""
    service = CachedService(*fields)
    return cached_gateway(cached_route(service, cache_rules(**rules)), time=time), service


def ask(key: str = "a1", *fields: tuple[str, str], **changes: Any) -> Exchange:
    ask.count += 1  # type: ignore[attr-defined]
    identified = f"{ask.count:08x}-0000-4000-8000-000000000000"  # type: ignore[attr-defined]
    return exchange([("X-Api-Key", key), *fields], request_id=identified, **changes)


ask.count = 0  # type: ignore[attr-defined]


async def got(one: Gateway, x: Exchange) -> Reply:
    """The reply to `x`, with all of its body in `body`."""
    client = Client()
    await one.handle(x, client.send)
    (reply,) = client.replies
    reply.body = b"".join((reply.body, reply.content, reply.tail))
    return reply


async def numbers(one: Gateway, exchanges: Iterable[Exchange]) -> list[int]:
    """The numbers of the calls that answered these exchanges, one after another."""
    return [number_of(await got(one, x)) for x in exchanges]


def number_of(reply: Reply) -> int:
    return int(msgspec.json.decode(reply.body)["data"]["result"]["call"])


def status_of(reply: Reply) -> str:
    """Cache-Status without the name of the cache."""
    return dict(reply.fields)["Cache-Status"].removeprefix("gateway; ")
