from structlog.testing import capture_logs

from gateway.audit.query import AuditQuery
from gateway.audit.trail import REMEMBERED, new_record_id
from tests.audited import AT, entry, trail_in_memory


def test_a_change_is_a_line_in_the_log_and_is_remembered() -> None:
    trail = trail_in_memory()
    kicks: list[int] = []
    trail.on_record = lambda: kicks.append(1)
    with capture_logs() as lines:
        record = trail.record(entry())
    assert lines == [
        {
            "log_level": "warning",
            "event": "audit",
            "id": "1",
            "at": AT,
            "who": "alice",
            "from": "laptop",
            "action": "keys.disable",
            "object": "acme-ci",
            "outcome": "done",
            "before": {"disabled": False},
            "after": {"disabled": True},
            "gateway": "gw-1",
        }
    ]
    assert trail.remembered(AuditQuery()) == [record]
    assert (list(trail.waiting), kicks) == ([record], [1])
    assert repr(trail) == "<AuditTrail 1 records, 1 waiting for Redis>"


def test_the_newest_are_remembered_and_come_first() -> None:
    trail = trail_in_memory()
    with capture_logs():
        for number in range(REMEMBERED + 1):
            trail.record(entry(f"key-{number % 2}"))
    assert len(trail.remembered(AuditQuery(limit=2 * REMEMBERED))) == REMEMBERED
    assert [record.id for record in trail.remembered(AuditQuery(object="key-0", limit=2))] == ["1001", "999"]


def test_ids_differ() -> None:
    assert len({new_record_id() for _ in range(100)}) == 100
