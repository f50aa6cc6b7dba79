"""stages/normalize.py: what is too large to hold."""

import gzip
import json
from typing import Any

import pytest

from gateway.kernel.faults import (
    UPSTREAM_BODY_INVALID,
    UPSTREAM_CODING_INVALID,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_PROTOCOL_ERROR,
    Fault,
    GatewayError,
)
from tests.answers import GZIP, JSON, TEXT, answer_of, normalized, read_all, refused, route_in
from tests.envelope_schema import check_envelope
from tests.samples import REQUEST_ID, Pieces


class TestLarge:
    async def test_a_whole_result_that_is_large_is_sent_beside_its_envelope(self) -> None:
        text = b"[%b]" % b",".join([b"12345"] * 20_000)
        reply = normalized(answer_of(text))
        assert reply.content == text
        assert reply.length == len(reply.body) + len(text) + len(reply.tail)
        assert json.loads(reply.body + reply.content + reply.tail)["data"]["result"] == json.loads(text)

    async def test_json_is_spliced_as_a_stream(self) -> None:
        text = json.dumps([{"a": n} for n in range(9999)]).encode()
        answer = answer_of(text[:1000], stream=Pieces(text[1000:5000], text[5000:]), length=len(text))
        reply = normalized(answer)
        whole = await read_all(reply)
        assert whole == b'{"requestId":"%b","status":"SUCCESS","data":{"result":%b}}' % (REQUEST_ID.encode(), text)
        assert reply.length == len(whole)

    async def test_chunked_and_with_notices(self) -> None:
        reply = normalized(
            answer_of(b'{"requestId":1,', JSON, (b"sunset", b"x"), (b"etag", b'"e"'), stream=Pieces(b'"b":2}'))
        )
        assert reply.length is None
        assert ("ETag", 'W/"e"') in reply.fields
        data = check_envelope(200, [("Content-Type", "application/json")], await read_all(reply))["data"]
        assert (data["result"], len(data["messages"])) == ({"requestId": 1, "b": 2}, 1)

    @pytest.mark.parametrize("mode", ["auto", "wrap"])
    async def test_an_envelope_gets_our_id(self, mode: str) -> None:
        text = b'{"status":"SUCCESS","requestId":"theirs","data":{"result":[1e400,' + b"1," * 999 + b'2]},"more":{}}'
        answer = answer_of(text[:99], JSON, (b"x-request-id", b"header"), stream=Pieces(text[99:]), length=len(text))
        reply = normalized(answer, route_in(mode))
        whole = await read_all(reply)
        assert reply.length == len(whole)
        assert (whole == text.replace(b"theirs", REQUEST_ID.encode())) == (mode == "auto")
        assert reply.upstream_request_id == ("theirs" if mode == "auto" else "header")
        check_envelope(200, reply.fields, whole)

    async def test_an_envelope_without_an_id_keeps_the_fields(self) -> None:
        text = b'{"status":"SUCCESS","requestId":null,"data":{"result":1'
        reply = normalized(answer_of(text, JSON, (b"x-request-id", b"header"), stream=Pieces(b"}}")))
        assert reply.upstream_request_id == "header"
        check_envelope(200, reply.fields, await read_all(reply))

    def test_an_error_in_an_envelope_wins(self) -> None:
        stream = Pieces(b"x")
        reply = normalized(answer_of(b'{"status":"ERROR","requestId":"a","data":{', stream=stream))
        assert (reply.status, reply.code, reply.stream) == (503, 1004, None)
        check_envelope(503, reply.fields, reply.body)
        assert stream.closed

    async def test_text_is_quoted_as_a_stream(self) -> None:
        text = 'é "quoted"\n'.encode() * 100
        for fields in ((TEXT,), ((b"x-a", b"b"),)):
            reply = normalized(answer_of(text[:1], *fields, stream=Pieces(text[1:7], text[7:]), length=len(text)))
            assert check_envelope(200, reply.fields[:1], await read_all(reply))["data"]["result"] == text.decode()

    async def test_coded_json_is_decoded_as_a_stream(self) -> None:
        text = json.dumps(list(range(100_000))).encode()
        coded = gzip.compress(text, mtime=0)
        for fields in ((JSON, GZIP), (GZIP,)):
            reply = normalized(
                answer_of(
                    coded[:50_000], *fields, stream=Pieces(coded[50_000:90_000], coded[90_000:]), length=len(coded)
                )
            )
            assert text in await read_all(reply)

    @pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "utf-16le", "gb18030", "utf-32"])
    async def test_json_in_another_charset_is_transcoded_as_a_stream(self, charset: str) -> None:
        text = json.dumps(["ü"] * 50_000, ensure_ascii=False)
        coded = text.encode(charset)
        fields = ((b"content-type", b"application/json; charset=" + charset.encode()),)
        reply = normalized(
            answer_of(coded[:1001], *fields, stream=Pieces(coded[1001:5002], coded[5002:]), length=len(coded))
        )
        assert reply.length is None
        assert text.encode() in await read_all(reply)

    async def test_a_mark_is_dropped(self) -> None:
        for fields in ((JSON,), ((b"x-a", b"b"),)):
            reply = normalized(answer_of(b"\xef\xbb\xbf[1,", *fields, stream=Pieces(b"2]"), length=8))
            whole = await read_all(reply)
            assert check_envelope(200, [("Content-Type", "application/json")], whole)["data"]["result"] == [1, 2]
            assert reply.length == len(whole)

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
        assert refused(answer_of(first, *fields, stream=stream)) is fault
        assert stream.closed

    @pytest.mark.parametrize("rest", [b"x", b"}", b"\xff", b"]}", b",]", GatewayError(UPSTREAM_INCOMPLETE), b""])
    async def test_what_is_seen_later_never_ends_well(self, rest: bytes | GatewayError) -> None:
        stream = Pieces(rest)
        reply = normalized(answer_of(b"[1", stream=stream))
        with pytest.raises(GatewayError) as broken:
            await read_all(reply)
        assert broken.value.fault is (rest.fault if isinstance(rest, GatewayError) else UPSTREAM_BODY_INVALID)
        assert stream.closed

    def test_what_has_no_type_and_is_neither_passes(self) -> None:
        stream = Pieces(b"x")
        reply = normalized(answer_of(b"\x89PNG", (b"x-a", b"b"), stream=stream, length=5))
        assert (reply.body, reply.stream, reply.length) == (b"\x89PNG", stream, 5)
        assert reply.fields[0] == ("Content-Type", "application/octet-stream")
