"""kernel/envelope/repair.py: rule 4 for what a backend wrote itself. What is sound stays byte for byte."""

import json

import pytest

from gateway.kernel.envelope.repair import LARGEST_MENDED, MOST_MENDED, error_data, string, success_data
from gateway.kernel.envelope.write import error, message_ids, render_message, success
from tests.envelope_schema import check_envelope
from tests.samples import REQUEST_ID

JSON = [("Content-Type", "application/json")]
FIRST_ID = message_ids(REQUEST_ID)()
GENERIC = b'"code":1004,"message":"Undefined error","developerMessage":"Undefined error"'


def _success(data: bytes, notices: list[bytes] | None = None) -> bytes:
    mended = success_data(data, notices or [], message_ids(REQUEST_ID))
    whole = success(REQUEST_ID, b"0").split(b'{"result"')[0] + mended + b"}"
    check_envelope(200, JSON, whole)
    return mended


def _error(data: bytes) -> bytes:
    code, mended = error_data(data, 1004, message_ids(REQUEST_ID))
    whole = error(REQUEST_ID, 1, "m", "d").split(b'{"code"')[0] + mended + b"}"
    assert check_envelope(400, JSON, whole)["data"]["code"] == code
    return mended


@pytest.mark.parametrize(
    "data",
    [
        b'{"result":{}}',
        b'{ "result" : 1e400 , "other":[1.0] }',
        b'{"result":null}',
        b'{"result":"\\ud800","messages":[]}',
        b'{"messages":[{"id":"1","type":"INFO","text":"t","date":"2016-06-25T20:09:23.69Z","field":"f","links":[{"href":"h","title":"t"}],"more":{"a":1}}],"result":1}',
    ],
)
def test_a_sound_success_stays(data: bytes) -> None:
    assert _success(data) == data


@pytest.mark.parametrize(
    ("data", "mended"),
    [
        (b"{}", b'{"result":{}}'),
        (b"null", b'{"result":{}}'),
        (b"[1]", b'{"result":[1]}'),
        (b'"\\ud800"', b'{"result":"\\ud800"}'),
        (b'{"x":1.0}', b'{"x":1.0,"result":{}}'),
        (b'{"result":1.0,"messages":null}', b'{"result":1.0,"messages":[]}'),
        (b'{"result":1,"messages":[null,7,{},[]]}', b'{"result":1,"messages":[]}'),
        (b'{"result":1,"messages":"hello"}', b'{"result":1,"messages":[{"id":"%b","type":"INFO","text":"hello"}]}'),
        (
            b'{"result":1,"messages":{"text":"one"}}',
            b'{"result":1,"messages":[{"id":"%b","type":"INFO","text":"one"}]}',
        ),
        (
            b'{"result":1,"messages":[{"type":"warning","message":"m","id":7,"date":null,"field":null,"links":null,"more":1.0}]}',
            b'{"result":1,"messages":[{"id":"7","type":"WARNING","text":"m","message":"m","more":1.0}]}',
        ),
        (
            b'{"result":1,"messages":[{"id":"a","type":"ODD","text":"t","date":"2016-06-25 20:09:23","field":"f"}]}',
            b'{"result":1,"messages":[{"id":"a","type":"INFO","text":"t","date":"2016-06-25T20:09:23Z","field":"f"}]}',
        ),
        (
            b'{"result":1,"messages":[{"id":"a","type":"INFO","text":"t","date":"yesterday","links":["https://x",{"href":"h","title":"t"},{"href":"h","rel":"r"},{"title":"t"},1]}]}',
            b'{"result":1,"messages":[{"id":"a","type":"INFO","text":"t","links":[{"href":"https://x","title":"More information"},{"href":"h","title":"t"},{"href":"h","rel":"r","title":"r"}]}]}',
        ),
        (
            b'{"result":1,"messages":[{"x":"\\u0041"}]}',
            b'{"result":1,"messages":[{"id":"%b","type":"INFO","text":"No text.","x":"\\u0041"}]}',
        ),
    ],
)
def test_a_success_is_mended(data: bytes, mended: bytes) -> None:
    assert _success(data) == mended.replace(b"%b", FIRST_ID.encode())


def test_notices_come_after_the_backends_own() -> None:
    notice = render_message("n", "WARNING", "old")
    assert _success(b'{"result":1.0}', [notice]) == b'{"result":1.0,"messages":[' + notice + b"]}"
    own = b'{"id":"a","type":"INFO","text":"t"}'
    assert (
        _success(b'{"messages":[' + own + b'],"result":1}', [notice])
        == b'{"messages":[' + own + b"," + notice + b'],"result":1}'
    )


@pytest.mark.parametrize(
    "data",
    [
        b'{"code":2001,"message":"m","developerMessage":"d"}',
        b'{ "developerMessage":"\\u0041\\ud800","code" : -7, "message":"m","links":[],"details":[],"more":{"a":1e400}}',
        b'{"code":1,"message":"m","developerMessage":"d","links":[{"href":"h","title":"t"}],"details":[{"id":"1","type":"ERROR","text":"t","date":"2016-06-25T20:09:23Z"}]}',
    ],
)
def test_a_sound_error_stays(data: bytes) -> None:
    assert _error(data) == data


@pytest.mark.parametrize(
    ("data", "mended"),
    [
        (b"{}", b"{" + GENERIC + b"}"),
        (b"null", b"{" + GENERIC + b"}"),
        (b'"text"', b"{" + GENERIC + b"}"),
        (b'{"code":"2001","message":"m","x":1.0}', b'{"code":2001,"message":"m","x":1.0,"developerMessage":"m"}'),
        (b'{"code":"E7","message":"m","developerMessage":""}', b'{"code":1004,"message":"m","developerMessage":"m"}'),
        (b'{"code":1.5,"message":null,"developerMessage":"d"}', b'{"code":1004,"message":"d","developerMessage":"d"}'),
        (b'{"code":true,"message":"m","developerMessage":"d"}', b'{"code":1004,"message":"m","developerMessage":"d"}'),
        (
            b'{"code":9999,"message":""}',
            b'{"code":9999,"message":"Undefined error","developerMessage":"Undefined error"}',
        ),
        (
            b'{"code":1000}',
            b'{"code":1000,"message":"Missing attribute or field","developerMessage":"Missing attribute or field"}',
        ),
        (
            b'{"code":1,"message":"m","developerMessage":"d","links":null,"details":null}',
            b'{"code":1,"message":"m","developerMessage":"d"}',
        ),
        (
            b'{"code":1,"message":"m","developerMessage":"d","links":[{"href":"h"}],"details":["bad",{"text":"t","field":"f","x":[1.0]}]}',
            b'{"code":1,"message":"m","developerMessage":"d","links":[{"href":"h","title":"More information"}],"details":[{"id":"%b","type":"ERROR","text":"bad"},{"id":"%c","type":"ERROR","text":"t","field":"f","x":[1.0]}]}',
        ),
        (
            b'{"code":1,"message":"m","developerMessage":"d","details":[{"id":"1","type":"ERROR","text":"t","date":"2016-06-25T22:09:23+02:00"}]}',
            b'{"code":1,"message":"m","developerMessage":"d","details":[{"id":"1","type":"ERROR","text":"t","date":"2016-06-25T20:09:23Z"}]}',
        ),
    ],
)
def test_an_error_is_mended(data: bytes, mended: bytes) -> None:
    new_id = message_ids(REQUEST_ID)
    assert _error(data) == mended.replace(b"%b", new_id().encode()).replace(b"%c", new_id().encode())


def test_string() -> None:
    assert string(b'"a\\u0041"') == "aA"
    assert string(b'"a\\\\ud800\\ud800"') == "a\\ud800\ufffd"
    assert string(b"1") is None


def test_a_code_too_large_for_anybody_is_replaced() -> None:
    data = b'{"code":%b,"message":"m","developerMessage":"d"}'
    assert json.loads(_error(data % (b'"' + b"9" * 30 + b'"')))["code"] == 1004
    assert json.loads(_error(data % (b"9" * 5000)))["code"] == 1004


@pytest.mark.parametrize("exponent", [31, 32, 53, 63, 64, 65, 100])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_code_is_what_an_integer_of_32_bits_holds(exponent: int, sign: int) -> None:
    for near in (-2, -1, 0, 1):
        code = sign * (1 << exponent) + near
        written = json.loads(_error(b'{"code":%d,"message":"m","developerMessage":"d"}' % code))
        assert written["code"] == (code if -(1 << 31) <= code < 1 << 31 else 1004)


def test_of_endless_lists_the_first_are_mended() -> None:
    written = success_data(b'{"result":1,"messages":[%b"a"]}' % (b'"a",' * MOST_MENDED), [], message_ids(REQUEST_ID))
    assert len(json.loads(written)["messages"]) == MOST_MENDED


def test_an_enormous_list_that_is_not_sound_is_left_out() -> None:
    enormous = b'{"result":1,"messages":[%b"a"]}' % (b'"a",' * (LARGEST_MENDED // 4))
    assert json.loads(success_data(enormous, [], message_ids(REQUEST_ID)))["messages"] == []
    sound = b'{"result":1,"messages":[%b]}' % b",".join(
        [b'{"id":"a","type":"INFO","text":"a"}'] * (LARGEST_MENDED // 35)
    )
    assert success_data(sound, [], message_ids(REQUEST_ID)) == sound
