import re

import pytest

from gateway.audit.query import AuditQuery, audit_query
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


def test_a_query_is_written_as_parameters() -> None:
    assert audit_query({}, AT_S) == AuditQuery()
    given = {"since": "1h", "object": "acme-*", "action": "keys.rotate", "limit": "7"}
    assert audit_query(given, AT_S) == AuditQuery(AT_S - 3600, "acme-*", "keys.rotate", 7)
    assert audit_query({"since": "2027-01-15T08:00:00Z"}, 0.0).since_s == AT_S


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"key": "a"}, "there is no parameter `key`; there are since, object, action, limit"),
        ({"limit": "0"}, "limit: write a number from 1 to 1000"),
        ({"limit": "²"}, "limit: write a number from 1 to 1000"),
        ({"limit": "1001"}, "limit: write a number from 1 to 1000"),
        ({"since": "5"}, "a duration needs its unit"),
        ({"since": "2027-01-15T"}, "`2027-01-15T` is not a date and time"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, str], error: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(error)):
        audit_query(parameters, AT_S)
