"""stages/response_headers.py: each reply has its id and its route's fields, and a known caller its limits."""

from typing import Any

import pytest

from gateway.exchange import CacheUse, Reply, ReplySource
from gateway.kernel.http.response_headers import SHARED, Line
from gateway.kernel.limits.token_bucket import Decision, WindowState
from gateway.stages.response_headers import response_headers
from gateway.upstream.call import Answer
from tests.samples import MINUTE, REQUEST_ID, caller, exchange, route


def test_a_stranger_gets_the_request_id_only() -> None:
    reply = response_headers(Reply(401, [("Content-Type", "application/json")], b""), exchange(), "X-Request-Id")
    assert reply.fields == [("Content-Type", "application/json"), ("X-Request-Id", REQUEST_ID)]


def test_a_known_caller_gets_its_remaining_limits() -> None:
    x = exchange()
    x.claim, x.decision = (
        caller().claim,
        Decision(allowed=True, store="local", states=(WindowState(MINUTE, 299, 200_000, 0),)),
    )
    assert response_headers(Reply(200, [], b""), x, "X-Id").fields == [
        ("X-Id", REQUEST_ID),
        ("X-RateLimit-Limit-Minute", "300"),
        ("RateLimit-Policy", '"minute";q=300;w=60'),
        ("X-RateLimit-Remaining-Minute", "299"),
        ("RateLimit", '"minute";r=299;t=1'),
    ]


OWN = ("X-Id", REQUEST_ID)
PRIVACY = (("Vary", "X-Api-Key"), ("Cache-Control", "private"))


def fields_of(
    *fields: Line, source: ReplySource = "upstream", marks: int = 0, several: bool = False, **more: Any
) -> list[Line]:
    x = exchange()
    x.route, x.caller = route(privacy=PRIVACY, own_set=(("X-Own", "1"),), **more), caller(several=several)
    x.answer = Answer(200, [], b"", None, 0, "t", marks)
    return response_headers(Reply(200, list(fields), b"", source=source), x, "X-Id", (("X-Nowhere", "1"),)).fields


@pytest.mark.parametrize(
    ("fields", "marks", "several", "wanted"),
    [
        ([], 0, False, [*PRIVACY]),
        ([("Vary", "Accept")], SHARED, False, [("Vary", "Accept, X-Api-Key"), ("Cache-Control", "private")]),
        (
            [("Cache-Control", "max-age=9")],
            SHARED,
            False,
            [("Vary", "X-Api-Key"), ("Cache-Control", "private, max-age=9")],
        ),
        ([], 0, True, [("Vary", "X-Api-Key, X-Tenant-Org-Id"), ("Cache-Control", "private")]),
    ],
)
def test_what_a_key_has_opened_is_for_its_caller(
    fields: list[Line], marks: int, *, several: bool, wanted: list[Line]
) -> None:
    assert fields_of(("X-A", "1"), *fields, marks=marks, several=several) == [("X-A", "1"), *wanted, OWN]


def test_replies_of_the_gateway_have_the_fields_that_the_route_sets() -> None:
    assert fields_of(source="gateway", marks=SHARED) == [("X-Own", "1"), OWN]
    x = exchange()
    assert response_headers(Reply(404, [], b""), x, "X-Id", (("X-Nowhere", "1"),)).fields == [("X-Nowhere", "1"), OWN]
    x.near = route(own_set=(("X-Own", "1"),))
    assert response_headers(Reply(405, [], b""), x, "X-Id", (("X-Nowhere", "1"),)).fields == [("X-Own", "1"), OWN]


def test_an_open_route_does_not_vary_by_key() -> None:
    x = exchange()
    x.route = route()
    assert response_headers(Reply(200, [], b"", source="upstream"), x, "X-Id").fields == [OWN]


def test_a_reply_without_an_answer_has_the_same_fields() -> None:
    x = exchange()
    x.route = route(privacy=PRIVACY)
    assert response_headers(Reply(200, [], b"", source="upstream"), x, "X-Id").fields == [*PRIVACY, OWN]


def test_what_a_kept_reply_says_of_caches_is_merged_too() -> None:
    x = exchange()
    x.route, x.caller, x.cache = route(privacy=PRIVACY), caller(), CacheUse("hit", 1.0, SHARED)
    reply = response_headers(Reply(200, [("Vary", "Accept")], b"", source="upstream"), x, "X-Id")
    assert reply.fields == [("Vary", "Accept, X-Api-Key"), ("Cache-Control", "private"), OWN]


def test_what_a_repeated_reply_says_of_caches_is_merged_too() -> None:
    x = exchange()
    x.route, x.caller, x.idempotency = route(privacy=PRIVACY), caller(), "replayed"
    reply = response_headers(Reply(201, [("Vary", "Accept")], b"", source="upstream"), x, "X-Id")
    assert reply.fields == [("Vary", "Accept, X-Api-Key"), ("Cache-Control", "private"), OWN]


def test_lines_that_are_text_lack_only_what_belongs_to_the_request() -> None:
    x = exchange()
    x.route, x.caller = route(privacy=PRIVACY, own_set=(("X-Own", "1"),)), caller()
    lines = "Content-Type: application/json\r\nVary: X-Api-Key\r\n"
    for source in ("gateway", "upstream"):
        reply = Reply(200, [], b"", source=source, text=lines)
        assert response_headers(reply, x, "X-Id").text == f"{lines}X-Id: {REQUEST_ID}\r\n"
    x.claim, x.decision = (
        caller().claim,
        Decision(allowed=True, store="local", states=(WindowState(MINUTE, 299, 200_000, 0),)),
    )
    limits = 'X-RateLimit-Limit-Minute: 300\r\nRateLimit-Policy: "minute";q=300;w=60\r\n'
    left = 'X-RateLimit-Remaining-Minute: 299\r\nRateLimit: "minute";r=299;t=1\r\n'
    reply = Reply(200, [], b"", source="upstream", text=lines)
    assert response_headers(reply, x, "X-Id").text == f"{lines}X-Id: {REQUEST_ID}\r\n{limits}{left}"
