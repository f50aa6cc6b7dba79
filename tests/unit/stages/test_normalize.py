"""stages/normalize.py: what a backend answers, as the contract promises it. Whole JSON, errors, header fields."""

import gzip
import json

import pytest

from gateway.kernel.faults import UPSTREAM_BODY_INVALID, UPSTREAM_PROTOCOL_ERROR
from gateway.kernel.http.response_headers import FieldRules
from gateway.stages.normalize import normalize
from gateway.table.public_urls import url_mapping
from tests.answers import GZIP, JSON, PNG, TEXT, answer_of, normalized, refused, route_in, wrapped
from tests.envelope_schema import check_envelope
from tests.samples import REQUEST_ID, Pieces, exchange


class TestWholeJson:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":1}', b"[1,2]", b'{"b":123456789012345678901234567890,"a":1e400,"c":1.0}', b"9" * 5000, b'"\\u00e9\\ud83d\\ude00"', b'["\\ud800"]',
            b'{"a":1,"a":2}', b"true", b"0", b'""', '{"é":"😀"}'.encode(), b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"1" + b"}" * 900,
            b'{"id":1,"status":"ERROR"}', b'{"requestId":"x","status":"ERROR","name":"n"}', b'{"status":"SUCCESS","data":{}}',
        ],
        ids=lambda body: repr(body[:20]),
    )  # fmt: skip
    @pytest.mark.parametrize("mode", ["auto", "wrap"])
    @pytest.mark.parametrize("status", [200, 201, 202, 203, 300, 307])
    def test_is_spliced_byte_for_byte(self, body: bytes, mode: str, status: int) -> None:
        reply = normalized(answer_of(body, status=status), route_in(mode))
        head, tail = reply.body.split(body) if body != b"0" else (reply.body[:-3], b"}}")
        assert reply.status == status
        assert head == b'{"requestId":"%b","status":"SUCCESS","data":{"result":' % REQUEST_ID.encode()
        assert tail == b"}}"
        assert reply.fields == [("Content-Type", "application/json")]

    @pytest.mark.parametrize("body", [b"", b" \r\n", b"null", b"\tnull "])
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_nothing_gives_an_empty_result(self, body: bytes, method: str) -> None:
        assert json.loads(normalized(answer_of(body), method=method).body)["data"] == {"result": {}}

    @pytest.mark.parametrize(
        "body",
        [
            b'\xef\xbb\xbf{"a":1}',
            b' \xef\xbb\xbf\n{"a":1}',
            '{"a":1}'.encode("utf-16"),
            '{"a":1}'.encode("utf-16-be"),
            '{"a":1}'.encode("utf-32"),
        ],
    )
    @pytest.mark.parametrize("mode", ["auto", "wrap"])
    def test_marks_are_dropped(self, body: bytes, mode: str) -> None:
        assert wrapped(answer_of(body), route_in(mode))["data"]["result"] == {"a": 1}

    def test_a_mark_alone_is_nothing(self) -> None:
        assert wrapped(answer_of(b"\xef\xbb\xbf"))["data"]["result"] == {}

    def test_an_envelope_needs_no_data(self) -> None:
        assert wrapped(answer_of(b'\xef\xbb\xbf{"requestId":"a","status":"SUCCESS","more":{"b":1.0}}'))["data"] == {
            "result": {}
        }
        assert wrapped(answer_of(b'{"requestId":"a","status":"ERROR"}'))["data"]["code"] == 1004
        assert (
            wrapped(answer_of(b'{"requestId":"a","status":"ERROR"}', (b"content-type", b"text/html"), status=404))[
                "data"
            ]["code"]
            == 1001
        )

    def test_white_space_around_is_no_matter(self) -> None:
        assert wrapped(answer_of(b' \n{"a":1}\n'))["data"]["result"] == {"a": 1}
        assert wrapped(answer_of(b'{"a":1}\n '))["data"]["result"] == {"a": 1}

    @pytest.mark.parametrize(
        "body",
        [
            b"NaN", b'{"a":NaN}', b"[Infinity]", b"\xef\xbb\xbfNaN", b"\xff\xfe{", b"\x00{\x00", b"\xfe\xff\x00{", b"\x00\x00\x00\x00", b'{"a":1} trailing', b'{"a":1}{}', b'{"a":', b"[1", b'"\xff"', b'{"a":"\xff"}', b'["\xff"]',
            b"<html></html>", b"OK", b"nul", b"[" * 100_000, b'{"a":' * 100_000, b"\x00",
        ],
        ids=lambda body: repr(body[:20]),
    )  # fmt: skip
    @pytest.mark.parametrize("mode", ["auto", "wrap"])
    def test_garbage_is_never_a_success(self, body: bytes, mode: str) -> None:
        assert refused(answer_of(body), route_in(mode)) is UPSTREAM_BODY_INVALID

    @pytest.mark.parametrize(
        "content_type", [b"application/problem+json", b"application/hal+json; charset=utf-8", b"text/json", b""]
    )
    def test_every_json_type(self, content_type: bytes) -> None:
        assert wrapped(answer_of(b'{"a":1}', (b"content-type", content_type)))["data"]["result"] == {"a": 1}


class TestEnveloped:
    BODY = b'{"requestId":"theirs","status":"SUCCESS","data":{"result":1e400},"more":{"x":1.0}}'

    def test_is_not_wrapped_twice(self) -> None:
        reply = normalized(answer_of(self.BODY, JSON, (b"x-request-id", b"header")))
        assert reply.body == self.BODY.replace(b"theirs", REQUEST_ID.encode())
        assert reply.upstream_request_id == "theirs"

    def test_unless_the_route_wraps(self) -> None:
        reply = normalized(answer_of(self.BODY, JSON, (b"x-request-id", b"header")), route_in("wrap"))
        assert reply.body.count(b"requestId") == 2
        assert reply.upstream_request_id == "header"
        assert (
            wrapped(answer_of(self.BODY.replace(b"SUCCESS", b"ERROR"), status=500), route_in("wrap"))["data"]["code"]
            == 1004
        )

    def test_or_its_members_are_ambiguous(self) -> None:
        body = self.BODY[:-1] + b',"\\ud800":1}'
        assert normalized(answer_of(body)).body.count(b"requestId") == 2
        assert wrapped(answer_of(body, status=404))["data"]["code"] == 1001

    def test_a_notice_is_added(self) -> None:
        envelope = wrapped(
            answer_of(
                b'{"requestId":"a","status":"SUCCESS","data":{"messages":["own"]}}', JSON, (b"warning", b'299 - "w"')
            )
        )
        assert [message["text"] for message in envelope["data"]["messages"]] == ["own", "w"]
        assert len({message["id"] for message in envelope["data"]["messages"]}) == 2

    @pytest.mark.parametrize(
        ("code", "status", "field"),
        [(1002, 401, "WWW-Authenticate"), (1006, 405, "Allow"), (8003, 429, "Retry-After"), (2001, 503, "Retry-After")],
    )
    def test_error_wins(self, code: int, status: int, field: str) -> None:
        body = b'{"requestId":"a","status":"ERROR","data":{"code":%d,"message":"m","developerMessage":"d"}}' % code
        reply = normalized(answer_of(body))
        assert (reply.status, reply.code) == (status, code)
        assert field in dict(reply.fields)
        assert wrapped(answer_of(body))["data"]["message"] == "m"

    @pytest.mark.parametrize("status", [200, 503])
    def test_an_error_whose_code_is_0_is_an_error(self, status: int) -> None:
        body = b'{"requestId":"a","status":"ERROR","data":{"code":0,"message":"m","developerMessage":"d"}}'
        reply = normalized(answer_of(body, status=status))
        assert (reply.status, reply.code) == (503, 0)
        assert "Retry-After" in dict(reply.fields)

    def test_an_error_keeps_its_status(self) -> None:
        body = b'{"requestId":"a","status":"ERROR","data":{"code":2001,"message":"m","developerMessage":"d"}}'
        reply = normalized(answer_of(body, status=404))
        assert (reply.status, reply.code, reply.body) == (
            404,
            2001,
            body.replace(b'"a"', b'"%b"' % REQUEST_ID.encode()),
        )

    def test_a_success_with_500_becomes_an_error(self) -> None:
        assert (
            wrapped(answer_of(b'{"requestId":"a","status":"SUCCESS","data":{"result":{"message":"m"}}}', status=500))[
                "data"
            ]["message"]
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
            (gzip.compress(b'{"message":"m"}', mtime=0), (JSON, GZIP)),
            (b"not gzip", (JSON, GZIP)),
            (b"data: m\n\n", ((b"content-type", b"text/event-stream"),)),
        ],
    )
    def test_keep_their_status(self, status: int, body: bytes, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        reply = normalized(answer_of(body, *fields, status=status), route_in(binary="refuse"))
        assert reply.status == status
        message = check_envelope(status, reply.fields, reply.body, foreign=False)["data"]["message"]
        readable = b"m" in body and not body.startswith((b"<", b'{"message":')) and b"data" not in body
        assert (message == "m") == (readable or body.endswith(b'"m"}') or (GZIP in fields and body.startswith(b"\x1f")))

    @pytest.mark.parametrize(("family", "code"), [("general", 1004), ("analytics", 5000), ("notification", 7000)])
    def test_families(self, family: str, code: int) -> None:
        assert wrapped(answer_of(status=500), route_in(family=family))["data"]["code"] == code
        assert wrapped(answer_of(status=404), route_in(family=family))["data"]["code"] == 1001

    @pytest.mark.parametrize(
        ("status", "field", "value"),
        [
            (401, b"www-authenticate", b"Basic"),
            (405, b"allow", b"GET"),
            (429, b"retry-after", b"7"),
            (503, b"retry-after", b"9"),
        ],
    )
    def test_fields_of_the_service_are_kept(self, status: int, field: bytes, value: bytes) -> None:
        fields = normalized(answer_of(b"{}", JSON, (field, value), status=status)).fields
        assert [kept for name, kept in fields if name.lower().encode() == field] == [value.decode()]

    def test_allow_lists_the_routes_methods(self) -> None:
        assert ("Allow", "GET, PUT, HEAD") in normalized(answer_of(status=405), route_in(methods=("GET", "PUT"))).fields

    def test_an_error_too_large_to_buffer_is_reported_by_its_status(self) -> None:
        stream = Pieces(b"x")
        assert wrapped(answer_of(b'{"message":"m', stream=stream, status=500))["data"]["message"] == "Undefined error"
        assert stream.closed


class TestFields:
    @pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 600, 999])
    @pytest.mark.parametrize("mode", ["auto", "passthrough"])
    def test_a_status_nobody_knows_is_a_fault(self, status: int, mode: str) -> None:
        stream = Pieces(b"x")
        assert refused(answer_of(stream=stream, status=status), route_in(mode)) is UPSTREAM_PROTOCOL_ERROR
        assert stream.closed

    def test_cookies_stay_apart(self) -> None:
        fields = normalized(answer_of(b"{}", JSON, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))).fields
        assert fields[1:] == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]

    def test_the_routes_rules(self) -> None:
        rules = route_in(
            response_rules=FieldRules(["Server", "x-a"]),
            response_set=(("X-B", "new"), ("X-C", "c"), ("Content-Type", "text/html")),
        )
        own = ((b"server", b"s"), (b"x-a", b"1"), (b"x-b", b"2"))
        kept = [("X-B", "new"), ("X-C", "c")]
        for answer in (
            answer_of(b"{}", JSON, *own),
            answer_of(b"hi", TEXT, *own),
            answer_of(b"{}", JSON, *own, status=404),
        ):
            assert normalized(answer, rules).fields == [("Content-Type", "application/json"), *kept]
        assert normalized(answer_of(b"x", PNG, *own), rules).fields == [*kept, ("Content-Type", "text/html")]

    @pytest.mark.parametrize("status", [200, 201, 204, 302, 304, 404])
    def test_it_sends_clients_where_they_can_go(self, status: int) -> None:
        way = route_in(url_mapping=url_mapping([("backend", 81, "")], None, "/v1", ""), strip_segments=1)
        own = [
            *(
                (b"location", b"http://backend:81/a"),
                (b"content-location", b"b"),
                (b"set-cookie", b"c=1; Path=/"),
                (b"refresh", b"1; url=/d"),
            ),
            *(
                (b"link", b'</e>; rel="sunset"'),
                (b"sunset", b"Sun, 06 Nov 1994 08:49:37 GMT"),
                (b"operation-location", b"//backend:81/f"),
            ),
        ]
        reply = normalized(answer_of(b"{}", JSON, *own, status=status), way)
        assert [line for line in reply.fields if line[0] not in ("Content-Type", "Sunset")] == [
            ("Location", "http://api.example.com/v1/a"),
            ("Content-Location", "/v1/b"),
            ("Set-Cookie", "c=1; Path=/v1"),
            ("Refresh", "1; url=/v1/d"),
            ("Link", '</v1/e>; rel="sunset"'),
            ("Operation-Location", "http://api.example.com/v1/f"),
        ]
        if status in (200, 201):
            assert json.loads(reply.body)["data"]["messages"][0]["links"][0]["href"] == "/v1/e"

    def test_it_leads_where_trusted_proxies_say_that_clients_are(self) -> None:
        reported = [
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "shop.example, inner"),
            ("X-Forwarded-Prefix", "/p"),
            ("X-Forwarded-Port", "444"),
        ]
        way = route_in(url_mapping=url_mapping([("backend", 81, "")], None, "", ""))
        for trusted, wanted in ((True, "https://shop.example:444/p/a"), (False, "http://api.example.com/a")):
            answer = answer_of(b"{}", JSON, (b"location", b"http://backend:81/a"))
            assert ("Location", wanted) in normalize(answer, exchange(reported, trusted_peer=trusted), way).fields

    def test_a_changed_body_has_another_tag_and_no_digest(self) -> None:
        fields = normalized(
            answer_of(b"{}", JSON, (b"etag", b'"e"'), (b"content-md5", b"x"), (b"accept-ranges", b"bytes"))
        ).fields
        assert fields == [("Content-Type", "application/json"), ("ETag", 'W/"e"')]

    def test_notices_become_messages(self) -> None:
        envelope = wrapped(
            answer_of(b"[1]", JSON, (b"deprecation", b"@1688169599"), (b"link", b'<https://x>; rel="deprecation"'))
        )
        (message,) = envelope["data"]["messages"]
        assert (message["type"], message["date"], message["links"][0]["href"]) == (
            "WARNING",
            "2023-06-30T23:59:59Z",
            "https://x",
        )

    def test_the_backends_id_goes_to_the_log_only(self) -> None:
        for status in (200, 204, 302, 404):
            reply = normalized(answer_of(b"", JSON, (b"x-request-id", b"theirs"), status=status))
            assert reply.upstream_request_id == "theirs"
            assert "theirs" not in str(reply.fields) + str(reply.body)
