from gateway.audit.records import (
    MOST_TEXT,
    MOST_VALUE_BYTES,
    Actor,
    AuditEntry,
    decode_record,
    differing,
    encode_record,
    record_of,
    some_of,
)
from gateway.key_management.secret import create
from tests.audited import ALICE, AT, AT_S, entry


def test_a_record_says_who_did_what_when_and_where() -> None:
    record = record_of(entry(), "7", AT_S, "gw-1")
    encoded = encode_record(record)
    assert encoded == (
        b'{"id":"7","at":"%s","who":"alice","from":"laptop","action":"keys.disable","object":"acme-ci","outcome":"done",'
        b'"before":{"disabled":false},"after":{"disabled":true},"gateway":"gw-1"}' % AT.encode()
    )
    assert decode_record(encoded) == record


def test_what_is_left_out_is_not_written() -> None:
    encoded = encode_record(record_of(AuditEntry(ALICE, "a", "o"), "7", AT_S, None))
    assert encoded.endswith(b'"object":"o","outcome":"done"}')


def test_secrets_are_masked() -> None:
    after = {"secret_sha256": "abc", "headers": {"Authorization": "Bearer xyz"}, "url": "redis://:abc@host/"}
    record = record_of(AuditEntry(ALICE, "a", "o", None, after), "7", AT_S, None)
    assert record.after == {
        "secret_sha256": "[redacted]",
        "headers": {"Authorization": "[redacted]"},
        "url": "redis://[redacted]@host/",
    }


def test_a_key_that_is_taken_for_something_else_is_masked() -> None:
    key = create()
    record = record_of(AuditEntry(Actor(key, key), key, f"tag {key}", {key: 1}, [key]), "7", AT_S, None)
    assert key not in str(record)
    assert (record.object, record.before, record.after) == ("tag gw_***", {"gw_***": 1}, ["gw_***"])


def test_a_record_is_bounded_and_printable() -> None:
    long = AuditEntry(Actor("a\n" + "x" * 1000, "\x1b"), "a", "o", "y" * MOST_VALUE_BYTES, ["z"])
    record = record_of(long, "7", AT_S, None)
    assert (record.who, record.origin) == ("a?" + "x" * (MOST_TEXT - 2), "?")
    assert record.before == {"omitted_bytes": MOST_VALUE_BYTES + 2}
    assert record.after == ["z"]


def test_only_what_differs_is_compared() -> None:
    assert differing({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "d": 4}) == (
        {"b": 2, "c": 3, "d": None},
        {"b": 3, "c": None, "d": 4},
    )


def test_many_names_are_shortened() -> None:
    assert some_of(["b", "a"], 2) == ["a", "b"]
    assert some_of(["c", "b", "a"], 2) == ["a", "b", "and 1 more"]
