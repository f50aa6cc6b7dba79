"""Whatever a backend answers, the reply keeps the contract; and a result is never respelled."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.kernel.envelope.json_scanner import Scanner
from gateway.kernel.envelope.raw_json import is_json
from gateway.kernel.faults import GatewayError
from gateway.kernel.http.response_headers import FieldRules
from gateway.stages.error_reply import error_reply
from gateway.stages.normalize import normalize
from gateway.table import Envelope
from gateway.upstream.call import Answer
from tests.envelope_schema import check_envelope
from tests.samples import REQUEST_ID, Pieces, caller, exchange, route

JSON = [(b"content-type", b"application/json")]
WRAP = route(envelope=Envelope("wrap", 1 << 20, "refuse"))
AUTO = route(envelope=Envelope("auto", 1 << 20, "refuse"))

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes says more about the neighbours than about the code."""

white = st.sampled_from(["", " ", "\n", "\t \r\n"])
numbers = st.one_of(
    st.integers().map(str),
    st.integers(min_value=2**53).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1e400", "-0", "0.10", "1E+2", "1.0000000000000000000001", "9" * 400]),
)
names = st.text(max_size=8)


@st.composite
def strings(draw: st.DrawFn) -> str:
    """A JSON string in some spelling: escapes, lone surrogates, raw UTF-8."""
    parts = []
    for character in draw(st.text(max_size=12)):
        spelled = draw(
            st.sampled_from(
                [
                    json.dumps(character)[1:-1],
                    json.dumps(character, ensure_ascii=False)[1:-1],
                    "\\u%04X" % (ord(character) & 0xFFFF),
                ]
            )
        )
        parts.append(spelled)
    return '"' + "".join(parts) + '"'


def _containers(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    spaced = st.builds(lambda before, child, after: before + child + after, white, children, white)
    members = st.builds(lambda name, gap, value: name + gap + ":" + value, strings(), white, spaced)
    return st.one_of(
        st.lists(spaced, max_size=4).map(lambda elements: "[" + ",".join(elements) + "]"),
        st.lists(members, max_size=4).map(lambda found: "{" + ",".join(found) + "}"),
    )


documents = st.recursive(
    st.one_of(numbers, strings(), st.sampled_from(["true", "false"])), _containers, max_leaves=20
).map(str.encode)

values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda children: st.one_of(
        st.lists(children, max_size=4),
        st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "errors",
                    "message",
                    "detail",
                    "details",
                    "title",
                    "type",
                    "code",
                    "loc",
                    "msg",
                    "field",
                    "links",
                    "href",
                    "source",
                    "status",
                    "x",
                ]
            ),
            children,
            max_size=4,
        ),
    ),
    max_leaves=20,
)
enveloped = st.fixed_dictionaries(
    {"requestId": values, "status": st.sampled_from(["SUCCESS", "ERROR"]), "data": st.one_of(values, st.fixed_dictionaries({}, optional={
        "result": values, "messages": values, "code": values, "message": values, "developerMessage": values, "links": values,
        "details": st.one_of(values, st.lists(st.fixed_dictionaries({}, optional={"id": values, "type": values, "text": values, "date": values, "links": values}), max_size=3)),
    }))},
    optional={"more": values},
)  # fmt: skip
bodies = st.one_of(
    st.binary(max_size=200),
    documents,
    values.map(lambda value: json.dumps(value).encode()),
    enveloped.map(lambda value: json.dumps(value, allow_nan=False, default=str).encode() if _finite(value) else b"NaN"),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
types = st.sampled_from(
    [
        b"application/json",
        b"application/problem+json",
        b"text/plain",
        b"text/html",
        b"text/plain; charset=utf-16",
        b"image/png",
        b"",
        b"x",
    ]
)
codings = st.sampled_from([b"", b"", b"", b"gzip", b"deflate", b"br", b"zstd", b"gzip, br", b"identity"])
statuses = st.one_of(st.integers(0, 999), st.sampled_from([200, 201, 400, 404, 422, 500, 503]))


def _finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@UNHURRIED
@given(documents, st.sampled_from([200, 201, 202]))
def test_a_result_is_identical_bytes(document: bytes, status: int) -> None:
    assert is_json(document)
    for way in (WRAP, AUTO):
        reply = normalize(Answer(status, JSON, document, None, len(document), "t"), exchange(), way)
        assert reply.body == b'{"requestId":"%b","status":"SUCCESS","data":{"result":%b}}' % (
            REQUEST_ID.encode(),
            document,
        )
        check_envelope(status, reply.fields, reply.body, foreign=False)


@UNHURRIED
@given(documents)
def test_a_streamed_result_is_checked_alike(document: bytes) -> None:
    for text in (document, document[:-1], document + b"1", document.replace(b"1", b"\xff", 1)):
        scanner = Scanner()
        try:
            for at in range(0, len(text), 3):
                scanner.feed(text[at : at + 3])
            scanner.finish()
        except GatewayError:
            assert not is_json(text)
        else:
            assert is_json(text)


@settings(UNHURRIED, max_examples=400)
@given(
    status=statuses,
    content_type=types,
    coding=codings,
    body=bodies,
    large=st.booleans(),
    mode=st.sampled_from(["auto", "wrap"]),
)
def test_every_reply_keeps_the_contract(
    status: int, content_type: bytes, coding: bytes, body: bytes, *, large: bool, mode: Any
) -> None:
    if coding == b"gzip":
        body = gzip.compress(body, mtime=0)
    elif coding == b"deflate":
        body = zlib.compress(body)
    fields = [(b"content-type", content_type), (b"content-encoding", coding), (b"sunset", b"soon")]
    answer = Answer(status, fields, body, Pieces() if large else None, None, "t")
    way = route(envelope=Envelope(mode, 1 << 20, "refuse"))
    try:
        reply = normalize(answer, exchange(), way)
    except GatewayError as error:
        reply = error_reply(error, error.fault, REQUEST_ID, "general")
        assert reply.status == 503
    if reply.stream is not None or reply.status in {204, 205, 304}:
        assert reply.status == status
        assert reply.stream is None or reply.body.startswith((b'{"', b"{", b" ", b"\t", b"\r", b"\n"))
        return
    assert status < 400 or status > 599 or reply.status == status
    assert check_envelope(reply.status, reply.all_fields(), reply.body)["requestId"] == REQUEST_ID


@UNHURRIED
@given(bodies, statuses, st.sampled_from(["auto", "wrap"]))
def test_a_reply_with_fields_that_are_known_is_that_with_new_ones(body: bytes, status: int, mode: Any) -> None:
    answer = Answer(status, [*JSON, (b"x-a", b"1")], body, None, len(body), "t", known=True)
    way = route(envelope=Envelope(mode, 1 << 20, "refuse"), response_rules=FieldRules((), ""))
    made: list[object] = []
    for _ in range(2):
        try:
            reply = normalize(answer, exchange(caller=caller()), way)
        except GatewayError as error:
            made.append((error.fault, error.cause))
        else:
            made.append((reply.status, reply.code, reply.all_fields(), reply.body, reply.length))
    assert made[0] == made[1]


@pytest.mark.parametrize("large", [False, True])
@UNHURRIED
@given(value=enveloped, status=st.sampled_from([200, 201, 302, 400, 404, 500]))
def test_every_envelope_keeps_the_contract(*, large: bool, value: Any, status: int) -> None:
    body = json.dumps(value).encode()
    answer = Answer(status, [*JSON, (b"warning", b'299 - "w"')], body, None, len(body), "t")
    try:
        reply = normalize(answer, exchange(), AUTO)
    except GatewayError:
        assert not _finite(value)
        return
    envelope = check_envelope(reply.status, reply.fields, reply.body)
    assert envelope["requestId"] == REQUEST_ID
    assert reply.status >= 400 or value["status"] == "SUCCESS" or not _finite(value)
