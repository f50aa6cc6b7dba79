"""reuse/idempotency.py: calls that are sent again, and what they are answered."""

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import UPSTREAM_REFUSED, UPSTREAM_TIMEOUT, Fault, GatewayError
from gateway.kernel.limits.token_bucket import OnFailure
from gateway.pipeline import Gateway
from gateway.redis_client.address import RedisConnectionError
from gateway.reuse.idempotency import LARGEST_REPLY_BYTES, IdempotencyKeys
from gateway.reuse.idempotency_store import IdempotencyStore, MemoryIdempotencyStore
from gateway.table.routes import Idempotency
from tests.cached_gateway import CachedService, Time, ask, cached_gateway, cached_route, got, number_of
from tests.fakes import turn, until
from tests.samples import Pieces

RULES = Idempotency("Idempotency-Key", 3600.0)
KEY = ("Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324")


class AwayStore:
    """A store that is away."""

    async def begin(self, name: str, token: bytes, record: bytes, hold_s: float) -> bytes | None:
        raise RedisConnectionError("away")

    async def finish(self, name: str, token: bytes, record: bytes, ttl_s: float) -> None:
        raise RedisConnectionError("away")

    async def free(self, name: str, token: bytes) -> None:
        raise RedisConnectionError("away")


class LostStore(MemoryIdempotencyStore):
    """A store that goes away while a call is under way."""

    async def finish(self, name: str, token: bytes, record: bytes, ttl_s: float) -> None:
        raise RedisConnectionError("away")


class Counted(list[tuple[str, str]]):
    def count(self, route: str, result: str) -> None:  # type: ignore[override]
        self.append((route, result))


def built(
    time: Time | None = None, store: IdempotencyStore | None = None, on_failure: OnFailure = "local", **changes: Any
) -> tuple[Gateway, CachedService, Counted]:
    time, service, counted = time or Time(), CachedService(), Counted()
    one = cached_gateway(cached_route(service, None, idempotency=RULES, **changes), time=time)
    memory = MemoryIdempotencyStore(time.clock.monotonic)
    tokens = iter(range(1, 1000))
    one.idempotency = IdempotencyKeys(
        store or memory, memory, on_failure, lambda size: next(tokens).to_bytes(size, "big"), counted.count
    )
    return one, service, counted


def post(key: str = "a1", *fields: tuple[str, str], body: bytes = b"{}", **changes: Any) -> Exchange:
    pieces = Pieces(*([body] if body else []), length=len(body))
    return ask(key, *(fields or [KEY]), **({"method": "POST", "body": pieces} | changes))


async def test_the_first_reply_is_repeated_with_another_id() -> None:
    one, service, counted = built()
    service.status, service.fields = 201, [(b"location", b"/v1/orders/1"), (b"age", b"3")]
    first = await got(one, post())
    x = post()
    again = await got(one, x)
    assert (len(service.calls), number_of(first), number_of(again)) == (1, 1, 1)
    assert (again.status, dict(again.fields)["Idempotency-Replayed"]) == (201, "true")
    assert dict(again.fields)["Location"] == dict(first.fields)["Location"]
    assert msgspec.json.decode(again.body)["requestId"] == x.request_id == dict(again.fields)["X-Request-Id"]
    assert "Idempotency-Replayed" not in dict(first.fields)
    assert (counted, x.idempotency, x.answer) == ([("orders", "first"), ("orders", "replayed")], "replayed", None)


async def test_calls_without_a_key_and_other_methods_are_sent_as_they_come() -> None:
    one, service, counted = built()
    for x in (post("a1", ("X", "1")), post("a1", ("X", "1")), post(method="PUT"), post(method="PUT"), ask("a1", KEY)):
        await got(one, x)
    assert (len(service.calls), counted) == (5, [])


@pytest.mark.parametrize("key", ["a1", "a2", "b1", "none"])
async def test_keys_of_other_callers_are_other_keys(key: str) -> None:
    one, service, _ = built()
    await got(one, post("a1"))
    await got(one, post(key))
    await got(one, post("a1", KEY, ("Authorization", "somebody")))
    await got(one, post("a1", KEY, certificate_subject="CN=somebody"))
    assert len(service.calls) == (3 if key == "a1" else 4)


@pytest.mark.parametrize(
    "other",
    [
        {"body": b"{ }"},
        {"query": "a=1"},
        {"method": "PATCH"},
        {"host": "other.example.com"},
        {"fields": [KEY, ("Content-Type", "text/plain")]},
    ],
)
async def test_another_call_with_the_same_key_is_refused(other: dict[str, Any]) -> None:
    one, service, _ = built()
    await got(one, post())
    reply = await got(one, post("a1", *other.pop("fields", ()), **other))
    assert (reply.status, len(service.calls)) == (422, 1)


async def test_a_key_may_stand_in_quotes() -> None:
    one, service, _ = built()
    for value in ("abc", '"abc"', ' "abc" '):
        await got(one, post("a1", ("Idempotency-Key", value)))
    assert len(service.calls) == 1


@pytest.mark.parametrize("fields", [["", ""], ["a", "b"], [""], ['""'], ["x" * 256]])
async def test_what_is_no_key(fields: list[str]) -> None:
    one, service, _ = built()
    reply = await got(one, post("a1", *[("Idempotency-Key", value) for value in fields]))
    assert (reply.status, reply.code, service.calls) == (400, 1001, [])


async def test_a_call_that_is_under_way_is_not_made_twice() -> None:
    one, service, _ = built()
    service.opened.clear()
    first = asyncio.ensure_future(got(one, post()))
    await until(lambda: bool(service.calls))
    second, other = await got(one, post()), await got(one, post(body=b"[]"))
    assert (second.status, other.status) == (409, 422)
    service.opened.set()
    assert (await first).status == 200
    assert (number_of(await got(one, post())), len(service.calls)) == (1, 1)


async def test_a_call_goes_on_when_its_client_leaves_who_gets_the_reply_later() -> None:
    one, service, _ = built()
    service.opened.clear()
    first = asyncio.ensure_future(got(one, post()))
    await until(lambda: bool(service.calls))
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    service.opened.set()
    await until(lambda: not one.idempotency._calls)
    assert (number_of(await got(one, post())), len(service.calls), service.abandoned) == (1, 1, 0)


@pytest.mark.parametrize("ends_with", ["stream", "error"])
async def test_what_nobody_is_there_for_any_more_ends(ends_with: str) -> None:
    one, service, _ = built()
    pieces = service.stream = Pieces()
    if ends_with == "error":
        service.error = GatewayError(UPSTREAM_TIMEOUT)
    service.opened.clear()
    first = asyncio.ensure_future(got(one, post()))
    await until(lambda: bool(service.calls))
    first.cancel()
    await asyncio.wait([first])
    service.opened.set()
    await until(lambda: not one.idempotency._calls)
    await turn()
    assert pieces.closed is (ends_with == "stream")


@pytest.mark.parametrize(
    ("status", "calls"),
    [(200, 1), (400, 1), (404, 1), (500, 1), (408, 2), (425, 2), (429, 2), (502, 2), (503, 2), (504, 2)],
)
async def test_what_the_service_wants_to_be_sent_again_is_not_kept(status: int, calls: int) -> None:
    one, service, _ = built()
    service.status = status
    replies = [await got(one, post()) for _ in range(2)]
    assert ([reply.status for reply in replies], len(service.calls)) == ([status] * 2, calls)
    assert replies[0].code == replies[1].code


@pytest.mark.parametrize(("fault", "calls"), [(UPSTREAM_REFUSED, 2), (UPSTREAM_TIMEOUT, 1)])
async def test_a_call_of_unknown_outcome_frees_its_key_after_a_time(fault: Fault, calls: int) -> None:
    time = Time()
    one, service, _ = built(time)
    service.error = GatewayError(fault)
    replies = [await got(one, post()) for _ in range(2)]
    assert ([reply.status for reply in replies], len(service.calls)) == ([503, 503 if calls == 2 else 409], calls)
    service.error = None
    time.now_s += 36
    assert (await got(one, post())).status == 200


async def test_replies_are_forgotten_after_their_time() -> None:
    time = Time()
    one, _, _ = built(time)
    await got(one, post())
    time.now_s += 3601
    assert number_of(await got(one, post())) == 2


@pytest.mark.parametrize("large", ["body", "stream"])
async def test_of_a_large_reply_it_is_known_that_there_was_one(large: str) -> None:
    one, service, _ = built()
    if large == "stream":
        service.stream, service.body = Pieces(b"}"), b'{"a":1'
    else:
        service.body = b"[" + b"1," * LARGEST_REPLY_BYTES + b"1]"
    await got(one, post())
    reply = await got(one, post())
    assert (reply.status, len(service.calls)) == (409, 1)
    assert "too large" in msgspec.json.decode(reply.body)["data"]["developerMessage"]
    assert "Retry-After" not in dict(reply.fields)


async def test_a_body_that_is_passed_on_counts_by_its_length() -> None:
    one, service, _ = built()
    size = 300 * 1024
    for last, status in ((b"a", 200), (b"b", 200), (b"cc", 422)):
        body = Pieces(*[b"x" * 65536] * 4, b"x" * (size - 4 * 65536), last, length=size + len(last))
        assert (await got(one, ask("a1", KEY, method="POST", body=body))).status == status
    assert len(service.calls) == 1


@pytest.mark.parametrize(
    ("on_failure", "statuses", "calls", "counted"),
    [
        ("local", [200, 200], 1, [("orders", "first"), ("orders", "replayed")]),
        ("allow", [200, 200], 2, [("orders", "unprotected")] * 2),
        ("deny", [503, 503], 0, []),
    ],
)
async def test_a_store_that_is_away_follows_the_policy(
    on_failure: OnFailure, statuses: list[int], calls: int, counted: list[tuple[str, str]]
) -> None:
    one, service, counts = built(store=AwayStore(), on_failure=on_failure)
    replies: list[Reply] = [await got(one, post()) for _ in range(2)]
    assert ([reply.status for reply in replies], len(service.calls), counts) == (statuses, calls, counted)


async def test_a_store_that_is_lost_meanwhile_costs_no_reply() -> None:
    time = Time()
    one, service, _ = built(time, store=LostStore(time.clock.monotonic))
    assert [(await got(one, post())).status for _ in range(2)] == [200, 409]
    assert len(service.calls) == 1


async def test_a_reply_that_is_repeated_is_private_to_other_caches_as_before() -> None:
    private = (("Vary", "X-Api-Key"), ("Cache-Control", "private"))
    one, service, _ = built(privacy=private)
    service.fields = [(b"cache-control", b"max-age=5"), (b"vary", b"Accept")]
    for _ in range(2):
        fields = (await got(one, post())).fields
        assert [value for name, value in fields if name == "Vary"] == ["Accept, X-Api-Key"]
        assert [value for name, value in fields if name == "Cache-Control"] == ["private, max-age=5"]


async def test_a_repeated_reply_releases_what_was_read_ahead_of_the_body() -> None:
    one, _, _ = built()
    body = b"x" * 100_000
    for x in (post(body=body), post(body=body)):
        await got(one, x)
        assert (one.read_ahead.reserved, x.read_ahead) == (0, 0)
