import pytest

from gateway.audit.query import AuditQuery
from gateway.audit.records import record_of
from tests.audited import AT_S, entry

RECORDS = [
    record_of(entry("acme-ci", "keys.disable"), "3", AT_S + 2, None),
    record_of(entry("acme-web", "keys.rotate"), "2", AT_S + 1, None),
    record_of(entry("configuration", "reload"), "1", AT_S, None),
]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (AuditQuery(), "321"),
        (AuditQuery(object="acme-ci"), "3"),
        (AuditQuery(object="acme-*"), "32"),
        (AuditQuery(object="acme"), ""),
        (AuditQuery(action="keys.*", object="acme-web"), "2"),
        (AuditQuery(since_s=AT_S + 1), "32"),
        (AuditQuery(since_s=AT_S + 1.5), "3"),
    ],
)
def test_records_are_selected(query: AuditQuery, ids: str) -> None:
    assert "".join(record.id for record in query.selected(RECORDS)) == ids
