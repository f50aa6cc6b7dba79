"""stages/prepare.py: what the upstream gets to see."""

from urllib.parse import unquote_to_bytes

import pytest

from gateway.edge.request_body import WholeBody
from gateway.exchange import Exchange
from gateway.kernel.faults import REQUEST_TIMEOUT, GatewayError
from gateway.stages.prepare import READ_AHEAD_BYTES, ReadAhead, prepare, read_body
from gateway.table import Envelope, Route
from gateway.table.public_urls import UrlMapping
from gateway.upstream.call import BODY_PIECE_BYTES, Call
from tests.samples import REQUEST_ID, Pieces, caller, exchange, route

SECRET = "gw_canary_canary_canary"


async def call(x: Exchange, to: Route | None = None, ahead: ReadAhead | None = None) -> Call:
    body = b"" if x.body is None else await read_body(x, x.body, ahead or ReadAhead())
    return prepare(x, to or route(), caller(), "X-Request-Id", body)


def lines(made: Call) -> list[str]:
    head = b"".join(made.head)
    assert head.endswith(b"\r\n")
    first = b"%b %b HTTP/1.1\r\n%b" % (made.method, made.path, made.host)
    return (first + head).decode("utf-8", "surrogateescape").split("\r\n")[:-1]


async def test_a_plain_call() -> None:
    made = await call(exchange([("Accept", "*/*"), ("X-Api-Key", SECRET), ("Connection", "keep-alive")], query="a=%2F"))
    assert lines(made) == [
        "GET /v1/orders?a=%2F HTTP/1.1",
        "Host: orders.internal",
        "Accept: */*",
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: api.example.com",
        'Forwarded: for=192.0.2.7;host="api.example.com";proto=http',
        "Via: 1.1 gateway",
        f"X-Request-Id: {REQUEST_ID}",
        f"traceparent: 00-{'a' * 32}-{'b' * 16}-00",
        "X-Caller-Id: acme-ci",
    ]
    assert (made.method, made.body, made.idempotent, made.buffer_bytes) == (b"GET", b"", True, 1 << 20)
    assert (made.connect_timeout_s, made.first_byte_timeout_s, made.total_timeout_s) == (1.0, 10.0, 30.0)
    assert (made.idle_timeout_s, made.events_idle_timeout_s) == (60.0, 600.0)


async def test_the_subject_of_a_clients_certificate_is_forwarded() -> None:
    made = await call(exchange(certificate_subject="CN=billing,O=ACME"))
    assert "X-Client-Certificate-Subject: CN=billing,O=ACME" in lines(made)


async def test_a_passthrough_route_waits_for_nothing() -> None:
    made = await call(
        exchange(method="POST"),
        route(envelope=Envelope("passthrough", 1 << 20, "passthrough"), request_fields=b"X-A: b\r\n"),
    )
    assert (made.buffer_bytes, made.idempotent) == (0, False)
    assert lines(made)[-1] == "X-A: b"


async def test_fields_that_this_request_withholds_stay() -> None:
    made = await call(exchange([("X-Hop", "1"), ("X-End", "2"), ("Via", "1.0 before")], withheld=frozenset({b"x-hop"})))
    assert "X-Hop: 1" not in lines(made)
    assert [line for line in lines(made) if line.startswith(("X-End", "Via"))] == [
        "X-End: 2",
        "Via: 1.0 before",
        "Via: 1.1 gateway",
    ]


async def test_a_tag_that_was_weakened_on_the_way_out_is_strong_again() -> None:
    fields = [("If-Match", 'W/"a", "b"'), ("If-None-Match", 'W/"c"')]
    assert lines(await call(exchange(fields)))[2:4] == ['If-Match: "a", "b"', 'If-None-Match: "c"']
    passed = await call(exchange(fields), route(envelope=Envelope("passthrough", 1, "passthrough")))
    assert lines(passed)[2] == 'If-Match: W/"a", "b"'


async def test_a_tag_that_the_service_gave_weak_stays_weak() -> None:
    way = route()
    assert way.entity_tags.weakened('W/"own"') == 'W/"own"'
    assert way.entity_tags.weakened('"strong"') == 'W/"strong"'
    made = await call(exchange([("If-None-Match", 'W/"own", W/"strong"'), ("If-Match", "*")]), way)
    assert lines(made)[2:4] == ['If-None-Match: W/"own", "strong"', "If-Match: *"]


@pytest.mark.parametrize(
    ("value", "goes_on"),
    [
        ("bytes=0-3", False),
        ("Bytes = 0-3, 7-", False),
        ("=0-3", False),
        ("items=0-3", True),
        ("0-24", True),
        ("pages=1", True),
        ("", False),
    ],
)
async def test_only_ranges_of_bytes_are_withheld(value: str, *, goes_on: bool) -> None:
    made = lines(await call(exchange([("Range", value), ("If-Range", 'W/"a"'), ("X-A", "b")])))
    assert (f"Range: {value}" in made, 'If-Range: "a"' in made, "X-A: b" in made) == (goes_on, goes_on, True)
    passed = lines(await call(exchange([("Range", value)]), route(envelope=Envelope("passthrough", 1, "passthrough"))))
    assert f"Range: {value}" in passed


@pytest.mark.parametrize("position", ["header_keys", "query_keys"])
async def test_copies_of_the_key_in_other_fields_stay(position: str) -> None:
    x = exchange([("Referer", f"http://h/?k={SECRET}"), ("Accept", "*/*")], **{position: [SECRET]})
    made = await call(x)
    assert SECRET.encode() not in b"".join(made.head)
    assert "Accept: */*" in lines(made)


async def test_every_key_of_the_request_is_found_in_any_spelling() -> None:
    escaped = "".join([f"%{ord(letter):02x}" for letter in SECRET])
    fields = [
        ("Referer", f"http://h/?k={escaped}"),
        ("Cookie", escaped.replace("%", "%25")),
        (SECRET, "a"),
        ("Accept", "a%20b"),
    ]
    made = await call(exchange(fields, header_keys=["another key"], query_keys=[SECRET]))
    assert SECRET.encode() not in unquote_to_bytes(unquote_to_bytes(b"".join(made.head)))
    assert "Accept: a%20b" in lines(made)


async def test_what_is_too_short_for_a_key_may_stand_anywhere() -> None:
    assert "Accept: a" in lines(await call(exchange([("Accept", "a")], header_keys=["a"])))


async def test_a_trusted_proxy_is_continued() -> None:
    fields = [
        ("X-Forwarded-For", "203.0.113.9, 10.0.0.2"),
        ("X-Forwarded-Host", "shop.example"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=203.0.113.9"),
    ]
    made = lines(await call(exchange(fields, trusted_peer=True, peer="2001:db8::7")))
    assert made[2:6] == [
        "X-Forwarded-For: 203.0.113.9, 10.0.0.2, 2001:db8::7",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: shop.example",
        'Forwarded: for=203.0.113.9, for="[2001:db8::7]";host="api.example.com";proto=http',
    ]


async def test_a_trusted_proxy_without_forwarding_fields_is_a_client() -> None:
    unix = exchange([("X-Forwarded-For", "203.0.113.9")], trusted_peer=True, peer="unix", client="203.0.113.9")
    assert lines(await call(unix))[2] == "X-Forwarded-For: 203.0.113.9"
    for trusted in (True, False):
        reported = lines(await call(exchange(trusted_peer=trusted, peer="unix", client="unix")))
        assert reported[2] == "X-Forwarded-For: unknown"
        assert reported[5].startswith("Forwarded: for=unknown;")
    assert lines(await call(exchange(trusted_peer=True)))[2:4] == [
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Proto: http",
    ]


async def test_a_stripped_prefix_is_forwarded() -> None:
    stripped = route(url_mapping=UrlMapping(stripped="/shop"), prefix_field="X-Forwarded-Prefix: /shop\r\n")
    fields = [("X-Forwarded-Prefix", "/public/"), ("X-Forwarded-Port", "8443")]
    assert [line for line in lines(await call(exchange(fields), stripped)) if "X-Forwarded-P" in line][1:] == [
        "X-Forwarded-Prefix: /shop"
    ]
    for to, wanted in ((stripped, "/public/shop"), (route(), "/public")):
        reported = lines(await call(exchange(fields, trusted_peer=True), to))
        assert reported[3:7] == [
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: api.example.com",
            f"X-Forwarded-Prefix: {wanted}",
            "X-Forwarded-Port: 8443",
        ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-Forwarded-Prefix", "//evil.example"), ("X-Forwarded-Prefix", "x"), ("X-Forwarded-Port", "1, 2")],
)
async def test_what_is_no_path_and_no_port_is_not_passed_on(name: str, value: str) -> None:
    assert not [
        line for line in lines(await call(exchange([(name, value)], trusted_peer=True))) if line.startswith(name)
    ]


async def test_elements_of_the_chain_lose_their_ports() -> None:
    fields = [("X-Forwarded-For", "203.0.113.9:1, [2001:db8::1]:5"), ("X-Forwarded-For", "::ffff:10.0.0.2,")]
    assert (
        lines(await call(exchange(fields, trusted_peer=True)))[2]
        == "X-Forwarded-For: 203.0.113.9, 2001:db8::1, 10.0.0.2, 192.0.2.7"
    )


async def test_fields_with_rules_are_not_added_beside_them() -> None:
    made = lines(
        await call(
            exchange(), route(unsaid=("x-forwarded-host:", "forwarded:"), request_fields=b"X-Forwarded-Host: own\r\n")
        )
    )
    assert [line for line in made if "orward" in line] == [
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: own",
    ]


async def test_bytes_that_are_no_text_are_forwarded_unchanged() -> None:
    made = await call(exchange([("X-Name", "caf\udce9"), ("X-Forwarded-For", "\udcff")], trusted_peer=True))
    assert made.head[0] == b"X-Name: caf\xe9\r\n"
    assert b"X-Forwarded-For: \xff, 192.0.2.7\r\n" in made.head[1]


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (Pieces(b"abc", length=3), b"abc"),
        (Pieces(b"a", b"bc", length=3), b"abc"),
        (Pieces(b"a", b"bc"), b"abc"),
        (Pieces(), b""),
        (Pieces(b"x" * READ_AHEAD_BYTES, length=READ_AHEAD_BYTES), b"x" * READ_AHEAD_BYTES),
    ],
)
async def test_a_small_body_is_read_first(body: Pieces, whole: bytes) -> None:
    assert (await call(exchange(method="POST", body=body))).body == whole


async def test_a_large_body_begins_with_what_was_read() -> None:
    made = await call(
        exchange(method="POST", body=Pieces(b"x" * READ_AHEAD_BYTES, b"y", b"z", length=READ_AHEAD_BYTES + 2))
    )
    assert not isinstance(made.body, bytes)
    assert made.body.length == READ_AHEAD_BYTES + 2
    assert [await made.body.read() for _ in range(4)] == [b"x" * READ_AHEAD_BYTES, b"y", b"z", b""]


async def test_a_body_that_never_comes_never_costs_a_connection() -> None:
    with pytest.raises(GatewayError) as raised:
        await call(exchange(method="POST", body=Pieces(b"a", GatewayError(REQUEST_TIMEOUT), length=3)))
    assert raised.value.fault is REQUEST_TIMEOUT


async def prepared(budget: ReadAhead, size: int, *, announced: bool = True) -> tuple[Exchange, Call, int]:
    """An upload in pieces as large as they come, and how much of it was read before it is sent."""
    pieces = [b"x" * BODY_PIECE_BYTES] * (size // BODY_PIECE_BYTES) + [b"x" * (size % BODY_PIECE_BYTES)]
    body = Pieces(*[piece for piece in pieces if piece], length=size if announced else None)
    x = exchange(method="POST", body=body)
    made = await call(x, ahead=budget)
    return x, made, body.received


@pytest.mark.parametrize(
    "size", [1, 65_536, 65_537, 200_000, READ_AHEAD_BYTES - 1, READ_AHEAD_BYTES, READ_AHEAD_BYTES + 1, 10_000_000]
)
@pytest.mark.parametrize("announced", [True, False])
async def test_no_more_is_read_ahead_than_is_reserved(size: int, *, announced: bool) -> None:
    x, made, read = await prepared(ReadAhead(), size, announced=announced)
    assert read <= (2 * BODY_PIECE_BYTES if announced and size > READ_AHEAD_BYTES else READ_AHEAD_BYTES)
    assert isinstance(made.body, bytes) == (size <= READ_AHEAD_BYTES - (0 if announced else BODY_PIECE_BYTES))
    assert x.read_ahead <= READ_AHEAD_BYTES
    if isinstance(made.body, bytes):
        assert made.body == b"x" * size
    else:
        assert sum([len(piece) for piece in [await made.body.read() for _ in range(200)]]) == size


async def test_all_requests_together_read_ahead_no_more_than_they_may() -> None:
    ahead, held, read = ReadAhead(5 * READ_AHEAD_BYTES), [], 0
    for number in range(20):
        x, made, size = await prepared(ahead, 250_000)
        held.append(x)
        read += size
        assert isinstance(made.body, bytes) == (number < 5)
    assert ahead.reserved <= 5 * READ_AHEAD_BYTES
    assert read <= 5 * READ_AHEAD_BYTES + 20 * BODY_PIECE_BYTES
    for x in held:
        ahead.release(x)
    assert ahead.reserved == 0
    _, made, _ = await prepared(ahead, 250_000)
    assert isinstance(made.body, bytes)


async def test_what_breaks_off_is_counted_no_longer() -> None:
    ahead = ReadAhead()
    x = exchange(method="POST", body=Pieces(b"a", GatewayError(REQUEST_TIMEOUT), length=3))
    with pytest.raises(GatewayError):
        await call(x, ahead=ahead)
    assert (x.read_ahead, ahead.reserved) == (0, 0)


async def test_a_body_that_has_arrived_is_passed_on_whole() -> None:
    x = exchange(method="POST")
    x.body = WholeBody(b"abc", 10)
    assert (await call(x)).body == b"abc"
    assert (x.client_s, x.read_ahead) == (0.0, 0)
