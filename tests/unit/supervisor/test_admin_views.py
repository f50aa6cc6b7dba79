from gateway.observe.recent_errors import ErrorRecord
from gateway.supervisor.admin_views import error_fields


def test_an_error_is_shown_with_its_known_fields() -> None:
    record = ErrorRecord(
        *(1_800_000_000.25, "the-id", "the-trace", 404, 1005, "GET", None, None, "gateway", "answered", "no_route"),
        *(None, None, None, None, 0.5, 0.0),
    )
    fields = {
        "timestamp": "2027-01-15T08:00:00.250Z",
        "request_id": "the-id",
        "trace_id": "the-trace",
        "status": 404,
        "code": 1005,
    }
    fields |= {
        "method": "GET",
        "source": "gateway",
        "outcome": "answered",
        "reason": "no_route",
        "total_ms": 0.5,
        "upstream_ms": 0.0,
    }
    assert error_fields(record) == fields
