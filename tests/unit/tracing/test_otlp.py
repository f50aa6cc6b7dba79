from gateway.tracing.otlp import Collector
from tests.otlp_collector import Collector as Stub
from tests.unit.tracing.spans import span


def test_a_span_arrives_with_everything_that_it_has() -> None:
    with Stub() as stub:
        collector = Collector(stub.endpoint, {"Authorization": "Bearer abc"}, "front", "1.2")
        assert collector.send([span(), span(kind="server", parent_id="", trace_state="a=b", failed=True, flags=0)])
        child, root = stub.spans
    assert child == {
        "resource": {"service.name": "front", "service.version": "1.2"},
        "name": "GET",
        "kind": "client",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "parent_id": "c" * 16,
        "trace_state": "",
        "started_ns": 1_000,
        "ended_ns": 2_000,
        "failed": False,
        "attributes": {"server.address": "10.0.0.1", "server.port": 80},
        "events": [("gateway.retry", 1_500, {"gateway.retry.reason": "500"})],
    }
    assert (root["kind"], root["parent_id"], root["trace_state"], root["failed"]) == ("server", "", "a=b", True)
    assert stub.fields[0]["authorization"] == "Bearer abc"
    assert stub.fields[0]["content-type"] == "application/x-protobuf"


def test_a_collector_that_refuses_a_batch_has_not_taken_it() -> None:
    with Stub() as stub:
        stub.status = 400
        assert not Collector(stub.endpoint, {}, "front", "1.2").send([span()])
