"""stages/normalize.py: what a backend answers, as the contract promises it."""

import gzip
import json
from typing import Any

import pytest

from gateway.exchange import Reply
from gateway.kernel.faults import (
    UPSTREAM_BODY_INVALID,
    UPSTREAM_BODY_TOO_LARGE,
    UPSTREAM_CODING_INVALID,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_TYPE_REFUSED,
    Fault,
    GatewayError,
)
from gateway.remote.call import Answer, Stream
from gateway.stages.normalize import normalize
from gateway.table import Envelope, Route
from tests.envelope_schema import check_envelope
from tests.samples import REQUEST_ID, Pieces, route

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain")
PNG = (b"content-type", b"image/png")
GZIP = (b"content-encoding", b"gzip")
MIB = 1 << 20


def _answer(
    body: bytes = b'{"a":1}', *fields: tuple[bytes, bytes], status: int = 200, stream: Stream | None = None, length: int | None = None
) -> Answer:
    return Answer(status, list(fields or (JSON,)), body, stream, len(body) if stream is None else length, "127.0.0.1:1")


def _route(mode: Any = "auto", binary: Any = "passthrough", **changes: Any) -> Route:
    return route(envelope=Envelope(mode, MIB, binary), **changes)


def _normalize(answer: Answer, route: Route | None = None, method: str = "GET") -> Reply:
    return normalize(answer, REQUEST_ID, route or _route(), method)


def _wrapped(answer: Answer, route: Route | None = None) -> dict[str, Any]:
    reply = _normalize(answer, route)
    assert reply.stream is None
    assert reply.source == "upstream"
    envelope = check_envelope(reply.status, reply.fields, reply.body)
    assert envelope["requestId"] == REQUEST_ID
    assert reply.code == (envelope["data"]["code"] if reply.status >= 400 else 0)
    return envelope


async def _streamed(reply: Reply) -> bytes:
    assert reply.stream is not None
    pieces = [reply.body]
    while piece := await reply.stream.read():
        pieces.append(piece)
    whole = b"".join([*pieces, reply.tail])
    assert reply.length in {None, len(whole)}
    return whole


def _refused(answer: Answer, route: Route | None = None, method: str = "GET") -> Fault:
    with pytest.raises(GatewayError) as refused:
        _normalize(answer, route, method)
    return refused.value.fault


class TestWholeJson:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":1}', b"[1,2]", b'{"b":123456789012345678901234567890,"a":1e400,"c":1.0}', b"9" * 5000, b'"\\u00e9\\ud83d\\ude00"', b'["\\ud800"]',
            b'{"a":1,"a":2}', b"true", b"0", b'""', '{"é":"😀"}'.encode(), b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"1" + b"}" * 900,
            b'{"id":1,"status":"ERROR"}', b'{"requestId":"x","status":"ERROR"}', b'{"status":"SUCCESS","data":{}}',
        ],
        ids=lambda body: repr(body[:20]),
    )  # fmt: skip
    @pytest.mark.parametrize("mode", ["auto", "wrap"])
    @pytest.mark.parametrize("status", [200, 201, 202, 203, 300, 307])
    def test_is_spliced_byte_for_byte(self, body: bytes, mode: str, status: int) -> None:
        reply = _normalize(_answer(body, status=status), _route(mode))
        head, tail = reply.body.split(body) if body != b"0" else (reply.body[:-3], b"}}")
        assert reply.status == status
        assert head == b'{"requestId":"%b","status":"SUCCESS","data":{"result":' % REQUEST_ID.encode()
        assert tail == b"}}"
        assert reply.fields == [("Content-Type", "application/json")]

    @pytest.mark.parametrize("body", [b"", b" \r\n", b"null", b"\tnull "])
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_nothing_gives_an_empty_result(self, body: bytes, method: str) -> None:
        assert json.loads(_normalize(_answer(body), method=method).body)["data"] == {"result": {}}

    def test_white_space_around_is_no_matter(self) -> None:
        assert _wrapped(_answer(b' \n{"a":1}\n'))["data"]["result"] == {"a": 1}
        assert _wrapped(_answer(b'{"a":1}\n '))["data"]["result"] == {"a": 1}

    @pytest.mark.parametrize(
        "body",
        [
            b"NaN", b'{"a":NaN}', b"[Infinity]", b"\xef\xbb\xbf{}", b'{"a":1} trailing', b'{"a":1}{}', b'{"a":', b"[1", b'"\xff"', b'{"a":"\xff"}', b'["\xff"]',
            b"<html></html>", b"OK", b"nul", b"[" * 100_000, b'{"a":' * 100_000, b"\x00",
        ],
        ids=lambda body: repr(body[:20]),
    )  # fmt: skip
    @pytest.mark.parametrize("mode", ["auto", "wrap"])
    def test_garbage_is_never_a_success(self, body: bytes, mode: str) -> None:
        assert _refused(_answer(body), _route(mode)) is UPSTREAM_BODY_INVALID

    @pytest.mark.parametrize("content_type", [b"application/problem+json", b"application/hal+json; charset=utf-8", b"text/json", b""])
    def test_every_json_type(self, content_type: bytes) -> None:
        assert _wrapped(_answer(b'{"a":1}', (b"content-type", content_type)))["data"]["result"] == {"a": 1}


class TestEnveloped:
    BODY = b'{"requestId":"theirs","status":"SUCCESS","data":{"result":1e400},"more":{"x":1.0}}'

    def test_is_not_wrapped_twice(self) -> None:
        reply = _normalize(_answer(self.BODY, JSON, (b"x-request-id", b"header")))
        assert reply.body == self.BODY.replace(b"theirs", REQUEST_ID.encode())
        assert reply.upstream_request_id == "theirs"

    def test_unless_the_route_says_wrap(self) -> None:
        reply = _normalize(_answer(self.BODY, JSON, (b"x-request-id", b"header")), _route("wrap"))
        assert reply.body.count(b"requestId") == 2
        assert reply.upstream_request_id == "header"
        assert _wrapped(_answer(self.BODY.replace(b"SUCCESS", b"ERROR"), status=500), _route("wrap"))["data"]["code"] == 1004

    def test_or_its_members_cannot_be_told_apart(self) -> None:
        body = self.BODY[:-1] + b',"\\ud800":1}'
        assert _normalize(_answer(body)).body.count(b"requestId") == 2
        assert _wrapped(_answer(body, status=404))["data"]["code"] == 1001

    def test_a_notice_is_added(self) -> None:
        envelope = _wrapped(_answer(b'{"requestId":"a","status":"SUCCESS","data":{"messages":["own"]}}', JSON, (b"warning", b'299 - "w"')))
        assert [message["text"] for message in envelope["data"]["messages"]] == ["own", "w"]
        assert len({message["id"] for message in envelope["data"]["messages"]}) == 2

    @pytest.mark.parametrize(
        ("code", "status", "field"),
        [(1002, 401, "WWW-Authenticate"), (1006, 405, "Allow"), (8003, 429, "Retry-After"), (2001, 503, "Retry-After")],
    )
    def test_error_wins(self, code: int, status: int, field: str) -> None:
        body = b'{"requestId":"a","status":"ERROR","data":{"code":%d,"message":"m","developerMessage":"d"}}' % code
        reply = _normalize(_answer(body))
        assert (reply.status, reply.code) == (status, code)
        assert field in dict(reply.fields)
        assert _wrapped(_answer(body))["data"]["message"] == "m"

    def test_an_error_keeps_its_status(self) -> None:
        body = b'{"requestId":"a","status":"ERROR","data":{"code":2001,"message":"m","developerMessage":"d"}}'
        reply = _normalize(_answer(body, status=404))
        assert (reply.status, reply.code, reply.body) == (404, 2001, body.replace(b'"a"', b'"%b"' % REQUEST_ID.encode()))

    def test_a_success_with_500_becomes_an_error(self) -> None:
        assert (
            _wrapped(_answer(b'{"requestId":"a","status":"SUCCESS","data":{"result":{"message":"m"}}}', status=500))["data"]["message"]
            == "m"
        )


class TestErrors:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 418, 422, 429, 500, 502, 503, 599])
    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            (b'{"message":"m"}', (JSON,)),
            (b'{"message":', (JSON,)),
            (b"m", (TEXT,)),
            (b"m", ((b"x-a", b"b"),)),
            (b"<html>m</html>", ((b"content-type", b"text/html"),)),
            (b"\x89PNG", (PNG,)),
            (b"", (JSON,)),
            (gzip.compress(b'{"message":"m"}'), (JSON, GZIP)),
            (b"not gzip", (JSON, GZIP)),
            (b"data: m\n\n", ((b"content-type", b"text/event-stream"),)),
        ],
    )
    def test_keep_their_status(self, status: int, body: bytes, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        reply = _normalize(_answer(body, *fields, status=status), _route(binary="refuse"))
        assert reply.status == status
        message = check_envelope(status, reply.fields, reply.body, foreign=False)["data"]["message"]
        readable = b"m" in body and not body.startswith((b"<", b'{"message":')) and b"data" not in body
        assert (message == "m") == (readable or body.endswith(b'"m"}') or (GZIP in fields and body.startswith(b"\x1f")))

    @pytest.mark.parametrize(("family", "code"), [("general", 1004), ("analytics", 5000), ("notification", 7000)])
    def test_families(self, family: str, code: int) -> None:
        assert _wrapped(_answer(status=500), _route(family=family))["data"]["code"] == code
        assert _wrapped(_answer(status=404), _route(family=family))["data"]["code"] == 1001

    @pytest.mark.parametrize(
        ("status", "field", "value"),
        [(401, b"www-authenticate", b"Basic"), (405, b"allow", b"GET"), (429, b"retry-after", b"7"), (503, b"retry-after", b"9")],
    )
    def test_own_fields_are_kept(self, status: int, field: bytes, value: bytes) -> None:
        fields = _normalize(_answer(b"{}", JSON, (field, value), status=status)).fields
        assert [kept for name, kept in fields if name.lower().encode() == field] == [value.decode()]

    def test_allow_lists_the_routes_methods(self) -> None:
        assert ("Allow", "GET, PUT") in _normalize(_answer(status=405), _route(methods=("GET", "PUT"))).fields

    def test_too_large_to_hold_is_told_by_its_status(self) -> None:
        stream = Pieces(b"x")
        assert _wrapped(_answer(b'{"message":"m', stream=stream, status=500))["data"]["message"] == "Undefined error"
        assert stream.closed


class TestWithoutBody:
    @pytest.mark.parametrize(("status", "body"), [(204, b""), (205, b""), (304, b""), (205, b"x")])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_statuses(self, status: int, body: bytes, method: str) -> None:
        reply = _normalize(_answer(body, JSON, (b"etag", b'"e"'), (b"cache-control", b"x"), status=status), method=method)
        assert (reply.status, reply.body, reply.stream, reply.code) == (status, b"", None, 0)
        assert reply.fields == [("Cache-Control", "x"), ("ETag", 'W/"e"')]

    @pytest.mark.parametrize(
        ("answer", "fields", "length", "code"),
        [
            (_answer(b"", JSON, (b"content-length", b"7")), [("Content-Type", "application/json")], None, 0),
            (_answer(b"", TEXT), [("Content-Type", "application/json")], None, 0),
            (_answer(b"", (b"x-a", b"b")), [("Content-Type", "application/json"), ("x-a", "b")], None, 0),
            (_answer(b"", PNG, (b"etag", b'"e"')), [("Content-Type", "image/png"), ("ETag", '"e"')], 0, 0),
            (_answer(b"", PNG, status=302), [("Content-Type", "application/json")], None, 0),
            (
                _answer(b"", JSON, (b"content-range", b"r"), status=206),
                [("Content-Type", "application/json"), ("Content-Range", "r")],
                0,
                0,
            ),
            (_answer(b"", PNG, status=429), [("Content-Type", "application/json"), ("Retry-After", "1")], None, 8000),
            (_answer(b"", JSON, status=500), [("Content-Type", "application/json")], None, 1004),
        ],
    )
    def test_head(self, answer: Answer, fields: list[tuple[str, str]], length: int | None, code: int) -> None:
        reply = _normalize(answer, method="HEAD")
        assert (reply.status, reply.fields, reply.body, reply.length, reply.code) == (answer.status, fields, b"", length, code)

    def test_head_of_what_is_refused(self) -> None:
        assert _refused(_answer(b"", PNG), _route(binary="refuse"), "HEAD") is UPSTREAM_TYPE_REFUSED

    def test_a_body_that_should_not_be_there_is_given_up(self) -> None:
        stream = Pieces(b"x")
        _normalize(_answer(b"", stream=stream, status=204))
        assert stream.closed


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_location_is_kept(self, status: int) -> None:
        location = b"/a b?x=\xe9#f"
        reply = _normalize(_answer(b"<a>moved</a>", (b"content-type", b"text/html"), (b"location", location), status=status))
        assert check_envelope(status, reply.fields, reply.body)["data"] == {"result": {}}
        assert dict(reply.fields)["Location"].encode("latin-1") == location

    def test_json_is_wrapped(self) -> None:
        assert _wrapped(_answer(status=303))["data"]["result"] == {"a": 1}

    def test_coded_json_is_decoded(self) -> None:
        assert _wrapped(_answer(gzip.compress(b"[7]"), JSON, GZIP, status=303))["data"]["result"] == [7]

    def test_a_large_body_is_given_up(self) -> None:
        stream = Pieces(b"x")
        assert _wrapped(_answer(b"[", stream=stream, status=302))["data"]["result"] == {}
        assert stream.closed


class TestTextAndBinary:
    @pytest.mark.parametrize(
        ("content_type", "body", "result"),
        [
            (b"text/plain", b'say "hi"\n', 'say "hi"\n'),
            (b"text/plain", b"\xef\xbb\xbfbom", "bom"),
            (b"text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
            (b"text/html", b"<p>", "<p>"),
            (b"text/plain", b"null", "null"),
            (b"text/plain", b"", {}),
            (b"", b"plain", "plain"),
            (b"", b"{not json", "{not json"),
            (b"", b"12", 12),
        ],
    )
    def test_text_becomes_a_string(self, content_type: bytes, body: bytes, result: object) -> None:
        assert _wrapped(_answer(body, (b"content-type", content_type)))["data"]["result"] == result

    @pytest.mark.parametrize(
        ("body", "charset"), [(b"\xff", b""), (b"\xc3", b""), (b"abc", b";charset=utf-16"), (b"\xff\xfea", b";charset=utf-16")]
    )
    def test_bad_text_is_garbage(self, body: bytes, charset: bytes) -> None:
        assert _refused(_answer(body, (b"content-type", b"text/plain" + charset))) is UPSTREAM_BODY_INVALID
        assert _wrapped(_answer(body, (b"content-type", b"text/plain" + charset), status=404))["data"]["message"] == "Parameter not valid"

    @pytest.mark.parametrize("content_type", [b"image/png", b"text/event-stream", b"application/xml", b""])
    def test_the_rest_passes_or_is_refused(self, content_type: bytes) -> None:
        answer = _answer(b"\x89PNG", (b"content-type", content_type), (b"etag", b'"e"'), (b"accept-ranges", b"bytes"), (b"digest", b"d"))
        reply = _normalize(answer)
        assert (reply.status, reply.body, reply.length, reply.code) == (200, b"\x89PNG", 4, 0)
        shown = content_type.decode() or "application/octet-stream"
        assert reply.fields == [("Content-Type", shown), ("ETag", '"e"'), ("Accept-Ranges", "bytes"), ("Digest", "d")]
        assert _refused(answer, _route(binary="refuse")) is UPSTREAM_TYPE_REFUSED

    def test_a_range_passes_or_is_refused(self) -> None:
        answer = _answer(b'"par', JSON, (b"content-range", b"bytes 0-3/9"), status=206)
        reply = _normalize(answer)
        assert (reply.status, reply.body) == (206, b'"par')
        assert ("Content-Range", "bytes 0-3/9") in reply.fields
        assert _refused(answer, _route(binary="refuse")) is UPSTREAM_TYPE_REFUSED

    def test_binary_keeps_its_coding(self) -> None:
        reply = _normalize(_answer(b"\x1f\x8b", PNG, GZIP))
        assert reply.fields == [("Content-Type", "image/png"), ("Content-Encoding", "gzip")]

    def test_binary_streams(self) -> None:
        stream = Pieces(b"x")
        reply = _normalize(_answer(b"", PNG, stream=stream, length=1))
        assert (reply.stream, reply.length) == (stream, 1)


class TestPassthrough:
    @pytest.mark.parametrize("status", [200, 204, 206, 302, 304, 404, 500])
    def test_nothing_is_touched(self, status: int) -> None:
        stream = Pieces(b"x")
        answer = _answer(b"NaN", JSON, GZIP, (b"etag", b'"e"'), (b"connection", b"x-a"), (b"x-a", b"1"), stream=stream, status=status)
        reply = _normalize(answer, _route("passthrough"))
        assert (reply.status, reply.body, reply.stream, reply.tail, reply.length) == (status, b"NaN", stream, b"", None)
        assert reply.fields == [("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("ETag", '"e"')]
        assert reply.code == {404: 1001, 500: 1004}.get(status, 0)
        assert not stream.closed

    def test_head_and_no_type(self) -> None:
        reply = _normalize(Answer(200, [], b"", None, 99, "t"), _route("passthrough"), "HEAD")
        assert (reply.fields, reply.length) == ([], 99)

    def test_control_characters_are_still_refused(self) -> None:
        assert _refused(_answer(b"", (b"content-type", b"a\r\nb")), _route("passthrough")) is UPSTREAM_PROTOCOL_ERROR


class TestCodings:
    @pytest.mark.parametrize("body", [b'{"a":1}', b"null", b""])
    def test_are_undone(self, body: bytes) -> None:
        reply = _normalize(_answer(gzip.compress(body), JSON, GZIP))
        assert json.loads(reply.body)["data"]["result"] == (json.loads(body or b"{}") or {})
        assert reply.fields == [("Content-Type", "application/json")]

    def test_identity_is_none(self) -> None:
        assert _wrapped(_answer(b"[1]", JSON, (b"content-encoding", b"identity")))["data"]["result"] == [1]

    def test_text_and_what_has_no_type(self) -> None:
        assert _wrapped(_answer(gzip.compress(b"hi"), TEXT, GZIP))["data"]["result"] == "hi"
        assert _wrapped(_answer(gzip.compress(b"[1]"), GZIP))["data"]["result"] == [1]

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            (gzip.compress(b"{}")[:-1], UPSTREAM_CODING_INVALID),
            (b"{}", UPSTREAM_CODING_INVALID),
            (gzip.compress(b"{}") + b"x", UPSTREAM_CODING_INVALID),
            (gzip.compress(b'"' + bytes(2 * MIB)), UPSTREAM_BODY_TOO_LARGE),
            (gzip.compress(b"NaN"), UPSTREAM_BODY_INVALID),
        ],
    )
    def test_broken_ones_are_faults(self, body: bytes, fault: Fault) -> None:
        assert _refused(_answer(body, JSON, GZIP)) is fault


class TestLarge:
    async def test_json_is_spliced_as_a_stream(self) -> None:
        text = json.dumps([{"a": n} for n in range(9999)]).encode()
        answer = _answer(text[:1000], stream=Pieces(text[1000:5000], text[5000:]), length=len(text))
        reply = _normalize(answer)
        whole = await _streamed(reply)
        assert whole == b'{"requestId":"%b","status":"SUCCESS","data":{"result":%b}}' % (REQUEST_ID.encode(), text)
        assert reply.length == len(whole)

    async def test_chunked_and_with_notices(self) -> None:
        reply = _normalize(_answer(b'{"requestId":1,', JSON, (b"sunset", b"x"), (b"etag", b'"e"'), stream=Pieces(b'"b":2}')))
        assert reply.length is None
        assert ("ETag", 'W/"e"') in reply.fields
        data = check_envelope(200, [("Content-Type", "application/json")], await _streamed(reply))["data"]
        assert (data["result"], len(data["messages"])) == ({"requestId": 1, "b": 2}, 1)

    @pytest.mark.parametrize("mode", ["auto", "wrap"])
    async def test_an_envelope_gets_our_id(self, mode: str) -> None:
        text = b'{"status":"SUCCESS","requestId":"theirs","data":{"result":[1e400,' + b"1," * 999 + b'2]},"more":{}}'
        answer = _answer(text[:99], JSON, (b"x-request-id", b"header"), stream=Pieces(text[99:]), length=len(text))
        reply = _normalize(answer, _route(mode))
        whole = await _streamed(reply)
        assert reply.length == len(whole)
        assert (whole == text.replace(b"theirs", REQUEST_ID.encode())) == (mode == "auto")
        assert reply.upstream_request_id == ("theirs" if mode == "auto" else "header")
        check_envelope(200, reply.fields, whole)

    async def test_an_envelope_without_an_id_keeps_the_fields(self) -> None:
        text = b'{"status":"SUCCESS","requestId":null,"data":{"result":1'
        reply = _normalize(_answer(text, JSON, (b"x-request-id", b"header"), stream=Pieces(b"}}")))
        assert reply.upstream_request_id == "header"
        check_envelope(200, reply.fields, await _streamed(reply))

    def test_an_error_in_an_envelope_wins(self) -> None:
        stream = Pieces(b"x")
        reply = _normalize(_answer(b'{"status":"ERROR","requestId":"a","data":{', stream=stream))
        assert (reply.status, reply.code, reply.stream) == (503, 1004, None)
        check_envelope(503, reply.fields, reply.body)
        assert stream.closed

    async def test_text_is_quoted_as_a_stream(self) -> None:
        text = 'é "quoted"\n'.encode() * 100
        for fields in ((TEXT,), ((b"x-a", b"b"),)):
            reply = _normalize(_answer(text[:1], *fields, stream=Pieces(text[1:7], text[7:]), length=len(text)))
            assert check_envelope(200, reply.fields[:1], await _streamed(reply))["data"]["result"] == text.decode()

    async def test_coded_json_is_decoded_as_a_stream(self) -> None:
        text = json.dumps(list(range(100_000))).encode()
        coded = gzip.compress(text)
        for fields in ((JSON, GZIP), (GZIP,)):
            reply = _normalize(_answer(coded[:50_000], *fields, stream=Pieces(coded[50_000:90_000], coded[90_000:]), length=len(coded)))
            assert text in await _streamed(reply)

    @pytest.mark.parametrize(
        ("first", "fields", "fault"),
        [
            (b"NaN," * 30_000, (JSON,), UPSTREAM_BODY_INVALID),
            (b"[1 2" + b",3" * 70_000, (JSON,), UPSTREAM_BODY_INVALID),
            (b"\xff", (TEXT,), UPSTREAM_BODY_INVALID),
            (b"[1]", (JSON, GZIP), UPSTREAM_CODING_INVALID),
            (b"[1]", (JSON, (b"content-encoding", b"pack200")), UPSTREAM_CODING_INVALID),
            (b"[1]", (JSON, (b"x-a", b"\x00")), UPSTREAM_PROTOCOL_ERROR),
        ],
    )
    def test_what_is_seen_to_be_garbage_in_time_is_a_fault(self, first: bytes, fields: Any, fault: Fault) -> None:
        stream = Pieces(b"x")
        assert _refused(_answer(first, *fields, stream=stream)) is fault
        assert stream.closed

    @pytest.mark.parametrize("rest", [b"x", b"}", b"\xff", b"]}", b",]", GatewayError(UPSTREAM_INCOMPLETE), b""])
    async def test_what_is_seen_later_never_ends_well(self, rest: bytes | GatewayError) -> None:
        stream = Pieces(rest)
        reply = _normalize(_answer(b"[1", stream=stream))
        with pytest.raises(GatewayError) as broken:
            await _streamed(reply)
        assert broken.value.fault is (rest.fault if isinstance(rest, GatewayError) else UPSTREAM_BODY_INVALID)
        assert stream.closed

    def test_what_has_no_type_and_is_neither_passes(self) -> None:
        stream = Pieces(b"x")
        reply = _normalize(_answer(b"\x89PNG", (b"x-a", b"b"), stream=stream, length=5))
        assert (reply.body, reply.stream, reply.length) == (b"\x89PNG", stream, 5)
        assert reply.fields[0] == ("Content-Type", "application/octet-stream")


class TestFields:
    @pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 600, 999])
    @pytest.mark.parametrize("mode", ["auto", "passthrough"])
    def test_a_status_nobody_knows_is_a_fault(self, status: int, mode: str) -> None:
        stream = Pieces(b"x")
        assert _refused(_answer(stream=stream, status=status), _route(mode)) is UPSTREAM_PROTOCOL_ERROR
        assert stream.closed

    def test_cookies_stay_apart(self) -> None:
        fields = _normalize(_answer(b"{}", JSON, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))).fields
        assert fields[1:] == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]

    def test_the_routes_rules(self) -> None:
        rules = _route(
            response_remove=frozenset({b"server", b"x-a"}), response_set=(("X-B", "new"), ("X-C", "c"), ("Content-Type", "text/html"))
        )
        own = ((b"server", b"s"), (b"x-a", b"1"), (b"x-b", b"2"))
        kept = [("X-B", "new"), ("X-C", "c")]
        for answer in (_answer(b"{}", JSON, *own), _answer(b"hi", TEXT, *own), _answer(b"{}", JSON, *own, status=404)):
            assert _normalize(answer, rules).fields == [("Content-Type", "application/json"), *kept]
        assert _normalize(_answer(b"x", PNG, *own), rules).fields == [*kept, ("Content-Type", "text/html")]

    def test_a_changed_body_has_another_tag_and_no_digest(self) -> None:
        fields = _normalize(_answer(b"{}", JSON, (b"etag", b'"e"'), (b"content-md5", b"x"), (b"accept-ranges", b"bytes"))).fields
        assert fields == [("Content-Type", "application/json"), ("ETag", 'W/"e"')]

    def test_notices_become_messages(self) -> None:
        envelope = _wrapped(_answer(b"[1]", JSON, (b"deprecation", b"@1688169599"), (b"link", b'<https://x>; rel="deprecation"')))
        (message,) = envelope["data"]["messages"]
        assert (message["type"], message["date"], message["links"][0]["href"]) == ("WARNING", "2023-06-30T23:59:59Z", "https://x")

    def test_the_backends_id_goes_to_the_log_only(self) -> None:
        for status in (200, 204, 302, 404):
            reply = _normalize(_answer(b"", JSON, (b"x-request-id", b"theirs"), status=status))
            assert reply.upstream_request_id == "theirs"
            assert "theirs" not in str(reply.fields) + str(reply.body)
