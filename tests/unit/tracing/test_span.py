import msgspec

from tests.unit.tracing.spans import span


def test_a_span_can_be_kept_as_plain_values() -> None:
    assert list(msgspec.to_builtins(span())["events"]) == [
        {"name": "gateway.retry", "at_ns": 1_500, "attributes": {"gateway.retry.reason": "500"}}
    ]
