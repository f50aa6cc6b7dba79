"""kernel/envelope/adopt.py: rule 6."""

import json

import pytest

from gateway.kernel.envelope.adopt import Adopted, adopt, opening, probe
from gateway.kernel.envelope.write import message_ids, render_message
from tests.envelope_schema import check_envelope
from tests.samples import REQUEST_ID

JSON = [("Content-Type", "application/json"), ("WWW-Authenticate", "x"), ("Allow", ""), ("Retry-After", "1")]


@pytest.mark.parametrize(
    ("text", "enveloped"),
    [
        (b'{"requestId":"a","status":"SUCCESS","data":{}}', True),
        (b'{"data":null,"x":[1e400],"status" : "ERROR" ,"requestId":null}', True),
        (b'{"requestId":"a","status":"SUCCESS","data":{"result":"\\ud800"}}', True),
        (b'{"status":"ERROR","data":{}}', False),
        (b'{"requestId":"a","data":{}}', False),
        (b'{"requestId":"a","status":"SUCCESS"}', True),
        (b'{"requestId":"a","status":"ERROR","more":{}}', True),
        (b'{"requestId":"a","status":"SUCCESS","more":{},"id":7}', False),
        (b'{"requestId":"a","status":"SUCCESS","\\ud800":7}', False),
        (b'{"requestId":"a","status":"success","data":{}}', False),
        (b'{"requestId":"a","status":"FINISHED","data":{}}', False),
        (b'{"requestId":"a","status":{"SUCCESS":1},"data":{}}', False),
        (b'{"item":{"requestId":"a","status":"SUCCESS","data":{}}}', False),
        (b'{"id":1,"status":"ERROR"}', False),
        (b"{}", False),
        (b'{"a":"\\udc00"}', False),
        (b'{"a":NaN}', None),
        (b'{"a":1} x', None),
        (b'{"requestId":"a","status":"SUCCESS","data":{"a":"\xff"}}', None),
        (b'{"\xff":1}', None),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, None),
        (b'{"a":' * 900 + b"1" + b"}" * 900, False),
    ],
    ids=lambda text: repr(text)[:30],
)
def test_probe(text: bytes, *, enveloped: bool | None) -> None:
    assert probe(text) is enveloped


def _adopt(text: bytes, status: int, family: str = "general", notices: list[bytes] | None = None) -> Adopted:
    adopted = adopt(text, REQUEST_ID, status, family, notices or [], message_ids(REQUEST_ID))
    assert adopted is not None
    envelope = check_envelope(adopted.status, JSON, adopted.body)
    assert envelope["requestId"] == REQUEST_ID
    assert adopted.code == (envelope["data"]["code"] if adopted.status >= 400 else 0)
    return adopted


@pytest.mark.parametrize("status", [200, 201, 202, 302])
def test_a_success_is_kept_but_for_its_id(status: int) -> None:
    text = b'{"more":{"a":1e400},"requestId":"theirs","x":"\\u0041","status":"SUCCESS","data":{ "result" : [1.0,{"b":1,"a":2}] }}'
    body = b'{"requestId":"%b","status":"SUCCESS","data":{ "result" : [1.0,{"b":1,"a":2}] },"more":{"a":1e400},"x":"\\u0041"}'
    assert _adopt(text, status) == (status, 0, body % REQUEST_ID.encode(), "theirs")


def test_notices_are_added() -> None:
    notice = render_message("n", "WARNING", "old")
    adopted = _adopt(b'{"requestId":1,"status":"SUCCESS","data":{"result":1}}', 200, notices=[notice])
    assert json.loads(adopted.body)["data"]["messages"] == [json.loads(notice)]
    assert adopted.request_id is None


@pytest.mark.parametrize(("status", "code"), [(400, 2001), (404, 1001), (422, 3333), (503, 1004), (500, 6001)])
def test_an_error_is_kept_but_for_its_id(status: int, code: int) -> None:
    data = b'{"code":%d,"message":"m","developerMessage":"d","x":1.0}' % code
    body = b'{"requestId":"%b","status":"ERROR","data":%b}' % (REQUEST_ID.encode(), data)
    assert _adopt(b'{"requestId":"theirs","status":"ERROR","data":%b}' % data, status) == (status, code, body, "theirs")


def test_an_error_too_large_to_be_read_keeps_its_code_and_texts() -> None:
    data = b'"code":2001,"message":"m","developerMessage":"%b","details":[{"text":"%b"}]' % (
        b"d" * 70_000,
        b"<b>x</b>" * 40_000,
    )
    adopted = _adopt(b'{"requestId":"a","status":"ERROR","data":{%b},"more":{"a":1}}' % data, 500)
    assert json.loads(adopted.body)["data"] == {"code": 2001, "message": "m", "developerMessage": "m"}


@pytest.mark.parametrize("more", [b'"a",' * 6000 + b"0", b"0," * 200_000 + b"0"], ids=["strings", "bytes"])
def test_an_error_of_more_than_can_be_peeked_at_is_reported_without_it(more: bytes) -> None:
    failed = _adopt(b'{"requestId":"a","status":"SUCCESS","data":{"result":{"message":"m"}},"more":[%b]}' % more, 422)
    assert json.loads(failed.body)["data"]["message"] == "m"
    assert "more" not in json.loads(failed.body)
    error = (
        b'{"requestId":"a","status":"ERROR","data":{"code":2001,"message":"m","developerMessage":"d","links":[%b]}}'
        % more
    )
    assert json.loads(_adopt(error, 422).body)["data"] == {"code": 2001, "message": "m", "developerMessage": "d"}


def test_a_bad_status_wins_over_a_large_success() -> None:
    adopted = _adopt(b'{"requestId":"a","status":"SUCCESS","data":{"result":[%b0]}}' % (b"0," * 200_000), 500)
    assert (adopted.status, adopted.code, json.loads(adopted.body)["data"]["message"]) == (500, 1004, "Undefined error")


@pytest.mark.parametrize(
    ("code", "status"),
    [(b"1000", 400), (b"1001", 400), (b"1002", 401), (b"1003", 403), (b"1004", 503), (b"1005", 404), (b"1006", 405), (b"8000", 429), (b"8007", 403), (b"2001", 503), (b"null", 503)],
)  # fmt: skip
@pytest.mark.parametrize("http", [200, 201, 302])
def test_error_wins_over_a_good_status(code: bytes, status: int, http: int) -> None:
    adopted = _adopt(
        b'{"requestId":"a","status":"ERROR","data":{"code":%b,"message":"m","developerMessage":"d"}}' % code, http
    )
    assert adopted.status == status
    assert json.loads(adopted.body)["data"]["message"] == "m"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"result":{"message":"inner"}}', "inner"),
        (b'{"result":{}}', "Analytics error"),
        (b'{"message":"outer"}', "outer"),
        (b"null", "Analytics error"),
        (b'"text"', "text"),
    ],
)
def test_a_bad_status_wins_over_success(data: bytes, message: str) -> None:
    adopted = _adopt(b'{"requestId":"a","status":"SUCCESS","data":%b,"more":{"a":1e400}}' % data, 500, "analytics")
    assert (adopted.status, adopted.code) == (500, 5000)
    assert json.loads(adopted.body)["data"]["message"] == message
    assert adopted.body.endswith(b',"more":{"a":1e400}}')


def test_members_that_cannot_be_distinguished() -> None:
    text = b'{"requestId":"a","status":"SUCCESS","data":{},"\\ud800":1}'
    assert probe(text)
    assert adopt(text, REQUEST_ID, 200, "general", [], message_ids(REQUEST_ID)) is None


@pytest.mark.parametrize(
    ("first", "success", "own_id", "value"),
    [
        (b'{"requestId":"a","status":"SUCCESS","data":{"result":[1,', True, "a", b'"a"'),
        (
            b' {\n "status" : "ERROR" , "more":{"x":["},{"]},"n":-1.5e3,"requestId" : null , "data" : {',
            False,
            None,
            b"null",
        ),
        (b'{"requestId":"a\\"b","status":"SUCCESS","t":true,"data":{}}', True, 'a"b', b'"a\\"b"'),
    ],
)
def test_opening(first: bytes, *, success: bool, own_id: str | None, value: bytes) -> None:
    found = opening(first)
    assert found is not None
    assert (found.success, found.request_id, first[found.start : found.end]) == (success, own_id, value)


@pytest.mark.parametrize(
    "first",
    [
        b"", b"[", b"{}", b"{", b'{"data":{},"requestId":"a","status":"SUCCESS"}', b'{"requestId":"a","data":{', b'{"status":"SUCCESS","data":{',
        b'{"requestId":"a","status":"DONE","data":{', b'{"requestId":"a","status":"SUCCESS","data":[', b'{"requestId":"a","status":"SUCCESS"',
        b'{"requestId":"a" "status"', b'{"requestId":"a","more":{"x":', b'{"requestId":"a","more":' + b"[" * 60_000, b'{"requestId":"a",',
        b'{"requestId":"a","status":"SUCCESS","x":"' + b"x" * 70_000 + b'","data":{', b'{"requestId":}', b'{"requestId":"a","status":"SUCCESS","dat',
    ],
    ids=lambda first: repr(first[:40]),
)  # fmt: skip
def test_no_opening(first: bytes) -> None:
    assert opening(first) is None


def test_an_opening_of_endless_members_is_given_up() -> None:
    assert opening(b'{"requestId":"x","status":"SUCCESS",%b"data":{' % (b'"a":1,' * 50)) is not None
    assert opening(b'{"requestId":"x","status":"SUCCESS",%b"data":{' % (b'"a":1,' * 100)) is None
