"""reuse/kept_reply.py: a reply as an entry, and back."""

import pytest

from gateway.exchange import CacheUse, Reply
from gateway.kernel.caching.storage import freshness_of
from gateway.kernel.http.response_headers import SHARED, Line
from gateway.reuse.kept_reply import conditional, entry_of, forwarded, hit_of, merged, reply_of
from tests.cached_gateway import RULES
from tests.samples import REQUEST_ID, Pieces, exchange, route

OTHER_ID = "00000000-0000-4000-8000-000000000000"
FOUND = freshness_of(200, [(b"cache-control", b"max-age=60")], RULES, 0.0)
assert FOUND is not None
FRESHNESS = FOUND


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        (
            (b'{"requestId":"%b","a":1}' % OTHER_ID.encode(), b"", b""),
            b'{"requestId":"%b","a":1}' % REQUEST_ID.encode(),
        ),
        (
            (b'{"requestId":"%b",' % OTHER_ID.encode(), b'"requestId":"%b"' % OTHER_ID.encode(), b"}"),
            b'{"requestId":"%b","requestId":"%b"}' % (REQUEST_ID.encode(), OTHER_ID.encode()),
        ),
        ((b'{"id":"%b"}' % OTHER_ID.encode(), b"", b""), b'{"id":"%b"}' % OTHER_ID.encode()),
        ((b"", b"", b""), b""),
    ],
)
def test_only_the_id_of_the_envelope_is_another_one(parts: tuple[bytes, bytes, bytes], wanted: bytes) -> None:
    body, content, tail = parts
    fields: list[Line] = [("Content-Type", "application/json"), ("age", "5")]
    entry = entry_of(Reply(200, fields, body, 7, tail=tail, content=content), OTHER_ID, 10.0, 4, FRESHNESS)
    reply = reply_of(entry, exchange(), "hit", 12.0, "hit")
    assert (reply.body, reply.status, reply.code, reply.source) == (wanted, 200, 7, "upstream")
    assert reply.fields == [fields[0], ("Age", "2"), ("Cache-Status", "gateway; hit")]


def test_the_fields_of_an_entry_are_its_own() -> None:
    reply = Reply(200, [("A", "1")], b"")
    entry = entry_of(reply, OTHER_ID, 0.0, 0, FRESHNESS)
    reply.fields.append(("B", "2"))
    reply_of(entry, exchange(), "hit", 0.0, "hit").fields.append(("C", "3"))
    assert entry.fields == (("A", "1"),)


def test_a_304_confirms_fields() -> None:
    newer: list[Line] = [
        ("etag", '"b"'),
        ("X", "2"),
        ("X", "3"),
        ("Content-Type", "a"),
        ("Age", "1"),
        ("Set-Cookie", "c"),
    ]
    before: tuple[Line, ...] = (("Content-Type", "text/plain"), ("ETag", '"a"'), ("x", "1"), ("Y", "1"))
    assert merged(before, newer) == (
        ("Content-Type", "text/plain"),
        ("Y", "1"),
        ("etag", '"b"'),
        ("X", "2"),
        ("X", "3"),
    )


def test_only_a_whole_200_becomes_a_304() -> None:
    x = exchange([("If-None-Match", '"x", '), ("If-None-Match", '"a"')])
    whole = Reply(200, [("ETag", '"a"'), ("Content-Type", "a")], b"{}", upstream_request_id="theirs")
    found = conditional(whole, x)
    assert (found.status, found.body, found.fields, found.upstream_request_id) == (
        304,
        b"",
        [("ETag", '"a"')],
        "theirs",
    )
    for other in (
        Reply(404, [("ETag", '"a"')], b"{}"),
        Reply(200, [("ETag", '"a"')], b"{}", stream=Pieces()),
        Reply(200, [("ETag", '"c"')], b"{}"),
        Reply(200, [], b"{}"),
    ):
        assert conditional(other, x) is other
    assert conditional(whole, exchange()) is whole


def test_a_reply_to_head_has_its_length_and_no_body() -> None:
    entry = entry_of(Reply(200, [], b"[1]"), OTHER_ID, 0.0, 0, FRESHNESS)
    reply = reply_of(entry, exchange(method="HEAD"), "hit", 0.0, "hit")
    assert (reply.body, reply.content, reply.length) == (b"", b"", 3)


def test_a_large_body_is_not_copied() -> None:
    body = b"[" + b"1," * 40_000 + b"1]"
    entry = entry_of(Reply(200, [], body), OTHER_ID, 0.0, 0, FRESHNESS)
    reply = reply_of(entry, exchange(), "hit", 0.0, "hit")
    assert reply.content is entry.content
    assert (reply.body, reply.length) == (b"", len(body))


def test_the_services_own_reply_says_what_the_cache_did() -> None:
    x, use = exchange(), CacheUse("miss")
    reply = forwarded(Reply(200, [("A", "1")], b""), x, use, "fwd=uri-miss")
    assert x.cache is use
    assert reply.fields == [("A", "1"), ("Cache-Status", "gateway; fwd=uri-miss")]


@pytest.mark.parametrize(
    ("marks", "fields", "expected"),
    [
        (0, [("A", "1")], "A: 1\r\nVary: X-Api-Key\r\nCache-Control: private\r\n"),
        (SHARED, [("Vary", "B")], "Vary: B, X-Api-Key\r\nCache-Control: private\r\n"),
    ],
)
def test_the_lines_of_a_hit_are_joined_once(marks: int, fields: list[Line], expected: str) -> None:
    entry = entry_of(Reply(200, fields, b'{"requestId":"%b"}' % OTHER_ID.encode()), OTHER_ID, 0.0, marks, FRESHNESS)
    privacy = (("Vary", "X-Api-Key"), ("Cache-Control", "private"))
    for now_s in (1.0, 2.5):
        x = exchange()
        reply = hit_of(entry, x, route(privacy=privacy), now_s)
        status = f"Age: {int(now_s)}\r\nCache-Status: gateway; hit; ttl={int(60 - now_s)}\r\n"
        assert (reply.text, reply.fields, entry.text) == (expected + status, [], expected)
        assert (reply.body, x.cache) == (
            b'{"requestId":"%b"}' % REQUEST_ID.encode(),
            CacheUse("hit", now_s, marks),
        )


def test_a_large_hit_is_not_copied() -> None:
    content = b'"' + b"a" * 100_000 + b'"'
    entry = entry_of(Reply(200, [("A", "1")], content), OTHER_ID, 0.0, 0, FRESHNESS)
    reply = hit_of(entry, exchange(), route(), 1.0)
    assert (reply.body, reply.content, reply.length) == (b"", content, len(content))
    assert reply.text.startswith("A: 1\r\nAge: ")
