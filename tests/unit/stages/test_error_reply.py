"""stages/error_reply.py: every row of the catalogue makes a reply that keeps the contract."""

import re
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from gateway.kernel.faults import (
    CATALOGUE,
    INTERNAL_ERROR,
    KEY_MISSING,
    LIMITER_UNAVAILABLE,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_ROUTE,
    RATE_LIMITED,
    UPSTREAM_REFUSED,
    UPSTREAM_SATURATED,
    UPSTREAM_TIMEOUT,
    Detail,
    Fault,
    GatewayError,
    Link,
)
from gateway.stages.error_reply import error_reply
from tests.envelope_schema import check_envelope
from tests.samples import REQUEST_ID


@pytest.mark.parametrize("fault", CATALOGUE.values(), ids=list(CATALOGUE))
@pytest.mark.parametrize("family", ["general", "analytics", "notification"])
def test_every_fault(fault: Fault, family: str) -> None:
    reply = error_reply(GatewayError(fault), fault, REQUEST_ID, family)
    fields = dict(reply.all_fields())
    data = check_envelope(reply.status, reply.all_fields(), reply.body, foreign=False)["data"]
    assert (reply.status, reply.code, reply.source) == (fault.status, data["code"], "gateway")
    assert data["developerMessage"] == fault.developer_message
    assert family != "general" or (data["code"], data["message"]) == (fault.code, fault.message)
    assert ("Retry-After" in fields) == fault.retryable
    assert ("Proxy-Status" in fields) == (fault.proxy_status is not None)
    assert re.fullmatch(r"gateway; error=[a-z_]+", fields.get("Proxy-Status", "gateway; error=x"))
    assert fields["Cache-Control"] == "no-store"
    assert len(reply.all_fields()) == len(fields)


@pytest.mark.parametrize(
    ("fault", "analytics", "notification"),
    [
        (UPSTREAM_REFUSED, 5001, 7000),
        (UPSTREAM_SATURATED, 5001, 7000),
        (UPSTREAM_TIMEOUT, 5000, 7000),
        (LIMITER_UNAVAILABLE, 1004, 1004),
        (INTERNAL_ERROR, 1004, 1004),
        (RATE_LIMITED, 8000, 8000),
    ],
)
def test_families(fault: Fault, analytics: int, notification: int) -> None:
    assert error_reply(GatewayError(fault), fault, REQUEST_ID, "analytics").code == analytics
    assert error_reply(GatewayError(fault), fault, REQUEST_ID, "notification").code == notification


def test_an_operators_row_is_in_force() -> None:
    own = msgspec.structs.replace(
        UPSTREAM_TIMEOUT, status=504, message="Slow", developer_message="Wait", links=(Link("https://x", "X"),)
    )
    reply = error_reply(GatewayError(UPSTREAM_TIMEOUT), own, REQUEST_ID, "analytics")
    data = check_envelope(504, reply.all_fields(), reply.body, foreign=False)["data"]
    assert data == {
        "code": 5000,
        "message": "Slow",
        "developerMessage": "Wait",
        "links": [{"href": "https://x", "title": "X"}],
    }
    other_code = msgspec.structs.replace(UPSTREAM_TIMEOUT, code=4711)
    assert error_reply(GatewayError(UPSTREAM_TIMEOUT), other_code, REQUEST_ID, "analytics").code == 4711


def test_the_occurrence_knows_more() -> None:
    error = GatewayError(
        MALFORMED_REQUEST, developer_message="Not so", details=(Detail("is missing", "name"),), cause="secret"
    )
    reply = error_reply(error, MALFORMED_REQUEST, REQUEST_ID, "general")
    data = check_envelope(400, reply.all_fields(), reply.body, foreign=False)["data"]
    assert (data["developerMessage"], data["details"][0]["field"]) == ("Not so", "name")
    assert b"secret" not in reply.body


@pytest.mark.parametrize(("seconds", "value"), [(7, "7"), (1, "1"), (0, "1"), (None, "1"), (-3, "1")])
def test_retry_after_is_a_second_or_more(seconds: int | None, value: str) -> None:
    assert (
        dict(
            error_reply(
                GatewayError(RATE_LIMITED, retry_after_s=seconds), RATE_LIMITED, REQUEST_ID, "general"
            ).all_fields()
        )["Retry-After"]
        == value
    )
    own = dict(error_reply(GatewayError(NO_ROUTE, retry_after_s=seconds), NO_ROUTE, REQUEST_ID, "general").all_fields())
    assert own.get("Retry-After") == (None if seconds is None else value)


def test_allow_and_challenge() -> None:
    fields = dict(
        error_reply(
            GatewayError(METHOD_NOT_ALLOWED, allow="GET, PUT"), METHOD_NOT_ALLOWED, REQUEST_ID, "general"
        ).all_fields()
    )
    assert fields["Allow"] == "GET, PUT"
    assert (
        dict(error_reply(GatewayError(METHOD_NOT_ALLOWED), METHOD_NOT_ALLOWED, REQUEST_ID, "general").all_fields())[
            "Allow"
        ]
        == ""
    )
    assert (
        dict(error_reply(GatewayError(KEY_MISSING), KEY_MISSING, REQUEST_ID, "general").all_fields())[
            "WWW-Authenticate"
        ]
        == 'ApiKey realm="api"'
    )


def test_errors_after_which_the_next_request_is_not_found_close_the_connection() -> None:
    assert error_reply(GatewayError(MALFORMED_REQUEST), MALFORMED_REQUEST, REQUEST_ID, "general").close
    assert not error_reply(GatewayError(NO_ROUTE), NO_ROUTE, REQUEST_ID, "general").close


def test_the_lines_that_a_route_sets_come_last() -> None:
    for _ in range(2):
        reply = error_reply(GatewayError(NO_ROUTE, retry_after_s=7), NO_ROUTE, REQUEST_ID, "general", "X-Own: 1\r\n")
        assert reply.all_fields() == [
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            ("Retry-After", "7"),
            ("X-Own", "1"),
        ]


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"details": (Detail("first", "name", more={"a": "b"}), Detail("second", type="WARNING"))},
        {"developer_message": "Not so", "allow": "GET"},
        {"retry_after_s": 5, "cause": "c"},
    ],
)
def test_an_error_that_is_returned_again_is_answered_like_a_new_one(own: dict[str, Any]) -> None:
    shared = GatewayError(UPSTREAM_REFUSED, **own)
    renamed = msgspec.structs.replace(UPSTREAM_REFUSED, message="Away")
    for row in (UPSTREAM_REFUSED, renamed):
        for family in ("general", "analytics"):
            for request_id in (REQUEST_ID, str(uuid4())):
                new, again = (error_reply(each, row, request_id, family) for each in (GatewayError(row, **own), shared))
                assert (again.status, again.code, again.body, again.text) == (new.status, new.code, new.body, new.text)
                data = check_envelope(again.status, again.all_fields(), again.body, foreign=False)["data"]
                assert [each["id"][8:] for each in data.get("details", ())] == [request_id[8:]] * len(
                    own.get("details", ())
                )


def test_a_row_that_replaces_another_is_not_taken_for_it() -> None:
    texts = set[bytes]()
    for number in range(300):
        row = msgspec.structs.replace(NO_ROUTE, developer_message=f"Text {number}.")
        reply = error_reply(GatewayError(NO_ROUTE, row=row), row, REQUEST_ID, "general")
        assert f"Text {number}.".encode() in reply.body
        texts.add(reply.body)
    assert len(texts) == 300
