"""stages/normalize.py: what is no JSON, has no body, is coded, or is not to be touched."""

import gzip
import json

import pytest

from gateway.kernel.faults import (
    UPSTREAM_BODY_INVALID,
    UPSTREAM_BODY_TOO_LARGE,
    UPSTREAM_CODING_INVALID,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_TYPE_REFUSED,
    Fault,
)
from gateway.upstream.call import Answer
from tests.answers import GZIP, JSON, MIB, PNG, TEXT, answer_of, normalized, refused, route_in, wrapped
from tests.envelope_schema import check_envelope
from tests.samples import Pieces


class TestWithoutBody:
    @pytest.mark.parametrize(("status", "body"), [(204, b""), (205, b""), (304, b""), (205, b"x")])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_statuses(self, status: int, body: bytes, method: str) -> None:
        reply = normalized(
            answer_of(body, JSON, (b"etag", b'"e"'), (b"cache-control", b"x"), status=status), method=method
        )
        assert (reply.status, reply.body, reply.stream, reply.code) == (status, b"", None, 0)
        assert reply.fields == [("Cache-Control", "x"), ("ETag", 'W/"e"')]

    @pytest.mark.parametrize(
        ("answer", "fields", "length", "code"),
        [
            (answer_of(b"", JSON, (b"content-length", b"7")), [("Content-Type", "application/json")], None, 0),
            (answer_of(b"", TEXT), [("Content-Type", "application/json")], None, 0),
            (answer_of(b"", (b"x-a", b"b")), [("Content-Type", "application/json"), ("x-a", "b")], None, 0),
            (answer_of(b"", PNG, (b"etag", b'"e"')), [("Content-Type", "image/png"), ("ETag", '"e"')], 0, 0),
            (answer_of(b"", PNG, status=302), [("Content-Type", "application/json")], None, 0),
            (
                answer_of(b"", JSON, (b"content-range", b"bytes 0-1/2"), status=206),
                [("Content-Type", "application/json"), ("Content-Range", "bytes 0-1/2")],
                0,
                0,
            ),
            (answer_of(b"", PNG, status=429), [("Content-Type", "application/json"), ("Retry-After", "1")], None, 8000),
            (answer_of(b"", JSON, status=500), [("Content-Type", "application/json")], None, 1004),
        ],
    )
    def test_head(self, answer: Answer, fields: list[tuple[str, str]], length: int | None, code: int) -> None:
        reply = normalized(answer, method="HEAD")
        assert (reply.status, reply.fields, reply.body, reply.length, reply.code) == (
            answer.status,
            fields,
            b"",
            length,
            code,
        )

    def test_head_of_what_is_refused(self) -> None:
        assert refused(answer_of(b"", PNG), route_in(binary="refuse"), "HEAD") is UPSTREAM_TYPE_REFUSED

    def test_a_body_that_should_not_be_there_is_given_up(self) -> None:
        stream = Pieces(b"x")
        normalized(answer_of(b"", stream=stream, status=204))
        assert stream.closed


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_location_is_kept(self, status: int) -> None:
        location = b"/a b?x=\xe9#f"
        reply = normalized(
            answer_of(b"<a>moved</a>", (b"content-type", b"text/html"), (b"location", location), status=status)
        )
        assert check_envelope(status, reply.fields, reply.body)["data"] == {"result": {}}
        assert dict(reply.fields)["Location"].encode("latin-1") == location

    def test_json_is_wrapped(self) -> None:
        assert wrapped(answer_of(status=303))["data"]["result"] == {"a": 1}

    def test_coded_json_is_decoded(self) -> None:
        assert wrapped(answer_of(gzip.compress(b"[7]", mtime=0), JSON, GZIP, status=303))["data"]["result"] == [7]

    def test_a_large_body_is_given_up(self) -> None:
        stream = Pieces(b"x")
        assert wrapped(answer_of(b"[", stream=stream, status=302))["data"]["result"] == {}
        assert stream.closed


class TestTextAndBinary:
    @pytest.mark.parametrize(
        ("content_type", "body", "result"),
        [
            (b"text/plain", b'say "hi"\n', 'say "hi"\n'),
            (b"text/plain", b"\xef\xbb\xbfbom", "bom"),
            (b"text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
            (b"text/plain", b"null", "null"),
            (b"text/plain", b"", {}),
            (b"", b"plain", "plain"),
            (b"", b"{not json", "{not json"),
            (b"", b"12", 12),
        ],
    )
    def test_text_becomes_a_string(self, content_type: bytes, body: bytes, result: object) -> None:
        assert wrapped(answer_of(body, (b"content-type", content_type)))["data"]["result"] == result

    @pytest.mark.parametrize(
        ("body", "charset"),
        [(b"\xff", b""), (b"\xc3", b""), (b"abc", b";charset=utf-16"), (b"\xff\xfea", b";charset=utf-16")],
    )
    def test_bad_text_is_garbage(self, body: bytes, charset: bytes) -> None:
        assert refused(answer_of(body, (b"content-type", b"text/plain" + charset))) is UPSTREAM_BODY_INVALID
        assert (
            wrapped(answer_of(body, (b"content-type", b"text/plain" + charset), status=404))["data"]["message"]
            == "Parameter not valid"
        )

    @pytest.mark.parametrize(
        "content_type", [b"image/png", b"application/xml", b"text/html", b"text/csv", b"application/octet-stream", b""]
    )
    def test_the_rest_passes_or_is_refused(self, content_type: bytes) -> None:
        answer = answer_of(
            b"\x89PNG",
            (b"content-type", content_type),
            (b"etag", b'"e"'),
            (b"accept-ranges", b"bytes"),
            (b"digest", b"d"),
        )
        reply = normalized(answer)
        assert (reply.status, reply.body, reply.length, reply.code) == (200, b"\x89PNG", 4, 0)
        shown = content_type.decode() or "application/octet-stream"
        assert reply.fields == [("Content-Type", shown), ("ETag", '"e"'), ("Digest", "d")]
        assert refused(answer, route_in(binary="refuse")) is UPSTREAM_TYPE_REFUSED

    @pytest.mark.parametrize(
        "fields",
        [(JSON, (b"content-range", b"bytes 0-3/9")), ((b"content-type", b"multipart/byteranges; boundary=x"),)],
    )
    @pytest.mark.parametrize("binary", ["passthrough", "refuse"])
    def test_a_range_of_bytes_passes(self, fields: tuple[tuple[bytes, bytes], ...], binary: str) -> None:
        reply = normalized(
            answer_of(b'"par', *fields, (b"accept-ranges", b"bytes"), status=206), route_in(binary=binary)
        )
        assert (reply.status, reply.body) == (206, b'"par')
        assert ("Content-Range" in dict(reply.fields)) == (fields[0] is JSON)
        assert "Accept-Ranges" not in dict(reply.fields)

    def test_events_pass_in_any_case(self) -> None:
        answer = answer_of(b"data: 1\n\n", (b"content-type", b"text/event-stream"), (b"accept-ranges", b"bytes"))
        for route in (route_in(binary="refuse"), route_in()):
            for method in ("GET", "HEAD"):
                assert normalized(answer, route, method).fields == [("Content-Type", "text/event-stream")]

    @pytest.mark.parametrize("fields", [(), ((b"content-range", b"0-1/319"),), ((b"content-range", b"items 0-1/319"),)])
    def test_another_206_is_wrapped(self, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        reply = normalized(answer_of(b"[1,2]", JSON, *fields, status=206))
        assert check_envelope(206, reply.fields, reply.body)["data"]["result"] == [1, 2]
        assert [value.encode() for name, value in reply.fields if name.lower() == "content-range"] == [
            value for _, value in fields
        ]
        assert refused(answer_of(b"[1,", JSON, *fields, status=206)) is UPSTREAM_BODY_INVALID

    @pytest.mark.parametrize("kind", [b"text/plain", b"application/octet-stream", b""])
    def test_what_is_to_be_saved_is_binary(self, kind: bytes) -> None:
        fields = ((b"content-type", kind), (b"content-disposition", b'attachment; filename="a"'))
        assert normalized(answer_of(b"[1]", *fields)).body == b"[1]"
        assert refused(answer_of(b"[1]", *fields), route_in(binary="refuse")) is UPSTREAM_TYPE_REFUSED
        message = "Parameter not valid" if b"octet" in kind else "m"
        assert wrapped(answer_of(b"m", *fields, status=404))["data"]["message"] == message
        assert wrapped(answer_of(b"[1]", JSON, fields[1]))["data"]["result"] == [1]

    def test_head_of_octets_follows_the_route(self) -> None:
        answer = answer_of(b"", (b"content-type", b"application/octet-stream"))
        assert normalized(answer, route_in(), "HEAD").fields == [("Content-Type", "application/octet-stream")]
        assert normalized(answer, route_in(binary="refuse"), "HEAD").fields == [("Content-Type", "application/json")]

    def test_binary_keeps_its_coding(self) -> None:
        reply = normalized(answer_of(b"\x1f\x8b", PNG, GZIP))
        assert reply.fields == [("Content-Type", "image/png"), ("Content-Encoding", "gzip")]

    def test_binary_streams(self) -> None:
        stream = Pieces(b"x")
        reply = normalized(answer_of(b"", PNG, stream=stream, length=1))
        assert (reply.stream, reply.length) == (stream, 1)


class TestPassthrough:
    @pytest.mark.parametrize("status", [200, 204, 206, 302, 304, 404, 500])
    def test_nothing_is_touched(self, status: int) -> None:
        stream = Pieces(b"x")
        answer = answer_of(
            b"NaN", JSON, GZIP, (b"etag", b'"e"'), (b"connection", b"x-a"), (b"x-a", b"1"), stream=stream, status=status
        )
        reply = normalized(answer, route_in("passthrough"))
        assert (reply.status, reply.body, reply.stream, reply.tail, reply.length) == (status, b"NaN", stream, b"", None)
        assert reply.fields == [("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("ETag", '"e"')]
        assert reply.code == {404: 1001, 500: 1004}.get(status, 0)
        assert not stream.closed

    def test_head_and_no_type(self) -> None:
        reply = normalized(Answer(200, [], b"", None, 99, "t"), route_in("passthrough"), "HEAD")
        assert (reply.fields, reply.length) == ([], 99)

    def test_control_characters_are_still_refused(self) -> None:
        assert refused(answer_of(b"", (b"content-type", b"a\r\nb")), route_in("passthrough")) is UPSTREAM_PROTOCOL_ERROR


class TestCodings:
    @pytest.mark.parametrize("body", [b'{"a":1}', b"null", b""])
    def test_are_undone(self, body: bytes) -> None:
        reply = normalized(answer_of(gzip.compress(body, mtime=0), JSON, GZIP))
        assert json.loads(reply.body)["data"]["result"] == (json.loads(body or b"{}") or {})
        assert reply.fields == [("Content-Type", "application/json")]

    @pytest.mark.parametrize("coding", [b"UTF-8", b"none", b"binary", b"aws-chunked", b"identity, 8bit"])
    def test_words_that_are_no_codings_mean_nothing(self, coding: bytes) -> None:
        field = (b"content-encoding", coding)
        assert wrapped(answer_of(b"[1]", JSON, field))["data"]["result"] == [1]
        assert wrapped(answer_of(b"hi", TEXT, field))["data"]["result"] == "hi"
        assert wrapped(answer_of(b'{"message":"m"}', JSON, field, status=404))["data"]["message"] == "m"
        assert wrapped(answer_of(gzip.compress(b"[1]"), JSON, field, GZIP))["data"]["result"] == [1]
        assert refused(answer_of(b"\x1f\x8b", JSON, field)) is UPSTREAM_BODY_INVALID

    def test_identity_is_none(self) -> None:
        assert wrapped(answer_of(b"[1]", JSON, (b"content-encoding", b"identity")))["data"]["result"] == [1]

    def test_text_and_what_has_no_type(self) -> None:
        assert wrapped(answer_of(gzip.compress(b"hi", mtime=0), TEXT, GZIP))["data"]["result"] == "hi"
        assert wrapped(answer_of(gzip.compress(b"[1]", mtime=0), GZIP))["data"]["result"] == [1]

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            (gzip.compress(b"{}", mtime=0)[:-1], UPSTREAM_CODING_INVALID),
            (b"{}", UPSTREAM_CODING_INVALID),
            (gzip.compress(b"{}", mtime=0) + b"x", UPSTREAM_CODING_INVALID),
            (gzip.compress(b'"' + bytes(2 * MIB), mtime=0), UPSTREAM_BODY_TOO_LARGE),
            (gzip.compress(b"NaN", mtime=0), UPSTREAM_BODY_INVALID),
        ],
    )
    def test_broken_ones_are_faults(self, body: bytes, fault: Fault) -> None:
        assert refused(answer_of(body, JSON, GZIP)) is fault
