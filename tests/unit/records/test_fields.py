"""records/fields.py: every field of the records has its value, or is left out."""

import msgspec

from gateway.exchange import CacheUse, Coded, Reply
from gateway.kernel.faults import UPSTREAM_REFUSED, GatewayError
from gateway.kernel.limits.quota import Meter, MeterState
from gateway.kernel.limits.token_bucket import Decision, WindowState
from tests.samples import MINUTE, Pieces, exchange
from tests.unit.stages.recording import Recording, served
from tests.unit.upstream.calls import call

FIELDS = {
    "event": "request", "timestamp": "2027-01-15T08:00:00.000Z", "level": "error", "request_id": "the-id", "trace_id": "the-trace",
    "http.request.method": "PUT", "http.route": "orders", "url.path": "/v1/orders", "http.response.status_code": 503,
    "gateway.source": "gateway", "gateway.outcome": "cut", "gateway.duration.total_ms": 10.0, "gateway.duration.upstream_ms": 4.0,
    "gateway.duration.client_ms": 1.0, "gateway.duration.overhead_ms": 5.0, "http.request.body.size": 9, "http.response.body.size": 5,
    "client.address": "192.0.2.9", "gateway.key_id": "acme-ci", "gateway.organization": "acme", "gateway.limiter.result": "refused",
    "gateway.limiter.store": "redis", "gateway.limiter.remaining": 299, "gateway.limiter.shadows": ["minute"],
    "gateway.limiter.spent": ["jobs"], "server.address": "127.0.0.1:3000", "upstream_request_id": "theirs", "gateway.code": 1004,
    "gateway.reason": "upstream_refused", "gateway.cause": "errno 111", "gateway.compression.coding": "br",
    "gateway.compression.saved_bytes": 20, "gateway.cache.result": "hit", "gateway.cache.age_s": 3, "gateway.idempotency": "replayed",
    "gateway.upstream.hedge": "won",
}  # fmt: skip


def test_every_field_of_an_access_record() -> None:
    x = served(
        method="PUT",
        client="192.0.2.9",
        client_s=0.001,
        outcome="cut",
        error=GatewayError(UPSTREAM_REFUSED, cause="errno 111"),
        coded=Coded("br", 25, 5),
        cache=CacheUse("hit", 3.9),
        idempotency="replayed",
    )
    x.call = msgspec.structs.replace(call(), hedge="won")
    x.request_id, x.trace_id, x.body = "the-id", "the-trace", Pieces()
    x.body.received = 9
    spent = MeterState(Meter("jobs", "count", 5, "key", UPSTREAM_REFUSED), 5, None)
    x.decision = Decision(
        allowed=False, store="redis", states=(WindowState(MINUTE, 299, 200_000, 0),), shadows=(MINUTE,), spent=(spent,)
    )
    x.reply = Reply(503, [], b"12345", code=1004, upstream_request_id="theirs")
    assert Recording().record(x) == FIELDS


def test_fields_without_a_value_are_omitted() -> None:
    line = Recording().record(exchange())
    assert set(line) == {
        "event", "timestamp", "level", "request_id", "trace_id", "http.request.method", "url.path", "http.response.status_code",
        "gateway.source", "gateway.outcome", "gateway.duration.total_ms", "gateway.duration.upstream_ms", "gateway.duration.client_ms",
        "gateway.duration.overhead_ms", "http.request.body.size", "http.response.body.size", "client.address",
    }  # fmt: skip


def test_what_is_said_about_the_limiter_is_not_that_of_another_exchange() -> None:
    recording = Recording()
    peeked = served(peeked=True, call=None)
    peeked.answer, peeked.upstream_s = None, 0.0
    recording.recorder.begin()
    recording.recorder.record(peeked, 0.010)
    peeked.decision = None
    assert not {name for name in recording.record(peeked) if "limiter" in name}


def test_the_texts_of_an_error_record_are_clipped() -> None:
    recording = Recording()
    recording.record(served(outcome="cut", error=GatewayError(UPSTREAM_REFUSED, cause="é" * 200)))
    (kept,) = recording.errors.records()
    assert kept.cause == "\\xe9" * 30
