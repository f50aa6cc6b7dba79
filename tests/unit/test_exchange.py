"""exchange.py: the origin that a client has called, and an exchange as text."""

import pytest

from gateway.exchange import CacheResult, CacheUse, Coded, Reply, SentBytes
from gateway.table.public_urls import public_origin
from tests.samples import exchange, known_lines, route

FORWARDED = [
    ("X-Forwarded-Proto", "https, http"),
    ("X-Forwarded-Host", "public.example, inner.example"),
    ("X-Forwarded-Port", "8443"),
    ("X-Forwarded-Prefix", "/api"),
]


def test_only_a_trusted_peer_names_the_origin() -> None:
    named = public_origin("http", "api.example.com", "https", "public.example", "8443", "/api")
    assert exchange(FORWARDED, trusted_peer=True).public_origin() == named
    assert exchange(FORWARDED).public_origin() == public_origin("http", "api.example.com")
    assert exchange(trusted_peer=True).public_origin() == public_origin("http", "api.example.com")


def test_keys_are_read_from_lines_that_are_known_where_no_stage_has_found_them() -> None:
    headers = known_lines(("X-Api-Key", "secret"))
    assert exchange(headers=headers).keys == []
    assert headers.facts is not None
    headers.facts.note(key_at=11, key_end=17)
    headers.facts.digest = b"digest"
    x = exchange(headers=headers, query_keys=["other"])
    assert (x.keys, x.keys, x.header_keys) == (["secret", "other"], ["secret", "other"], ["secret"])
    assert exchange(headers=headers, header_keys=["a"]).keys == ["a"]


@pytest.mark.parametrize(("found", "keys"), [(None, ["secret"]), (["a"], ["a"])])
def test_keys_stay_when_other_fields_are_sent_than_the_client_has(found: list[str] | None, keys: list[str]) -> None:
    headers = known_lines(("X-Api-Key", "secret"))
    assert headers.facts is not None
    headers.facts.note(key_at=11, key_end=17)
    headers.facts.digest = b"digest"
    x = exchange(headers=headers, header_keys=found)
    x.replace_fields([(b"Accept", b"a")])
    assert (x.keys, x.headers.raw) == (keys, ((b"Accept", b"a"),))


def test_as_text_it_shows_neither_fields_nor_the_query() -> None:
    x = exchange([("X-Api-Key", "secret")], query="X-Api-Key=secret")
    assert repr(x) == f"<Exchange {x.request_id} GET ->"
    x.route = route()
    assert repr(x) == f"<Exchange {x.request_id} GET orders>"


def test_who_calls_an_open_route_is_its_address_unless_the_route_serves_the_document_and_there_is_a_key() -> None:
    for shown in (
        {"header_keys": ["k"]},
        {"query_keys": ["k"]},
        {"certificate_subject": "CN=a"},
        {"header_keys": [""]},
    ):
        x = exchange((), **shown)
        x.route = route(open=True)
        assert x.is_open
        x.route = route(open=True, document=object())
        assert x.is_open == (shown == {"header_keys": [""]})
        assert x.shows_key != x.is_open
        x.route = route()
        assert not x.is_open


def test_what_a_coding_and_the_cache_have_saved() -> None:
    assert [Coded("gzip", 10, coded).saved_bytes for coded in (4, 12)] == [6, 0]
    results: list[CacheResult] = ["hit", "stale", "miss", "bypass"]
    assert [CacheUse(result).has_saved for result in results] == [True, True, False, False]


def test_lines_of_text_are_fields_for_who_looks_at_them() -> None:
    reply = Reply(200, [("X-C", "3")], b"", text="X-A: 1: one\r\nX-B: \r\n")
    for _ in range(2):
        assert reply.all_fields() == [("X-A", "1: one"), ("X-B", ""), ("X-C", "3")]
    assert reply.text == ""


async def test_bytes_that_are_sent_already_may_be_awaited() -> None:
    sent = SentBytes(5)
    assert (sent.count, await sent) == (5, 5)
