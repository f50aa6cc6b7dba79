"""kernel/envelope/write.py: what is written is the contract's, around texts that stay as they are."""

import pytest

from gateway.kernel.envelope.write import error, message_ids, render_message, success, success_head, success_tail
from gateway.kernel.faults import Detail, Link
from tests.envelope_schema import check_envelope, is_uuid
from tests.samples import REQUEST_ID

JSON = [("Content-Type", "application/json")]


@pytest.mark.parametrize(
    "result", [b"{}", b"1e400", b'{"b": 1.0, "a":"\\u00e9"}', b"[ ]", b'"\\ud800"', b'{"a":1,"a":2}', b"9" * 4000]
)
def test_a_result_stays_byte_for_byte(result: bytes) -> None:
    body = success(REQUEST_ID, result)
    assert body == b'{"requestId":"%b","status":"SUCCESS","data":{"result":%b}}' % (REQUEST_ID.encode(), result)
    assert body == success_head(REQUEST_ID) + result + success_tail(b"")
    check_envelope(200, JSON, body, foreign=False)


def test_messages_follow_the_result() -> None:
    messages = (
        b"[" + render_message("m1", "WARNING", "old", date="2026-01-01T00:00:00Z", links=[Link("/x", "X")]) + b"]"
    )
    envelope = check_envelope(200, JSON, success(REQUEST_ID, b"1", messages), foreign=False)
    assert envelope["data"]["messages"] == [
        {
            "date": "2026-01-01T00:00:00Z",
            "id": "m1",
            "type": "WARNING",
            "text": "old",
            "links": [{"href": "/x", "title": "X"}],
        }
    ]
    assert success(REQUEST_ID, b"1", messages) == success_head(REQUEST_ID) + b"1" + success_tail(messages)


def test_an_error_has_links_and_details_only_if_there_are_any() -> None:
    body = error(REQUEST_ID, 1004, 'quote " é', "developer\n")
    assert check_envelope(503, JSON, body, foreign=False)["data"] == {
        "code": 1004,
        "message": 'quote " é',
        "developerMessage": "developer\n",
    }


def test_a_full_error() -> None:
    details = (Detail("is missing", "name"), Detail("odd", type="WARNING"))
    body = error(REQUEST_ID, 1000, "m", "d", (Link("https://x", "X"),), details, more=b'"more":{"a":1e400}')
    envelope = check_envelope(400, JSON, body)
    first, second = envelope["data"]["details"]
    assert envelope["data"]["links"] == [{"href": "https://x", "title": "X"}]
    assert (first["type"], first["text"], first["field"]) == ("ERROR", "is missing", "name")
    assert (second["type"], "field" in second) == ("WARNING", False)
    assert body.endswith(b',"more":{"a":1e400}}')


def test_message_ids_follow_from_the_request_id() -> None:
    new_id, again, other = message_ids(REQUEST_ID), message_ids(REQUEST_ID), message_ids(REQUEST_ID[::-1])
    ids = [new_id() for _ in range(3)]
    assert ids == [again() for _ in range(3)]
    assert len({*ids, other()}) == 4
    assert all(is_uuid(made) and made[14] == "4" and made[8:] == REQUEST_ID[8:] for made in ids)
