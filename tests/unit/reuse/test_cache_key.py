"""reuse/cache_key.py: names that two requests share only if one reply may serve both."""

from typing import Any

import pytest

from gateway.kernel.caching.store import ALL_SCOPES
from gateway.kernel.http.request_headers import FieldFilter
from gateway.reuse.cache_key import directives_of, is_plain, resource_of, scope_of, variant_of
from gateway.table import Envelope
from tests.cached_gateway import cache_rules
from tests.samples import Pieces, caller, exchange, route

PROXIED = {"trusted_peer": True, "peer": "10.0.0.1"}


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/v1/other"},
        {"query": "a=1"},
        {"host": "other.example.com"},
        {"scheme": "https"},
        {"path": "/v1", "query": "orders"},
        {"fields": [("X-Forwarded-Host", "other.example.com")], **PROXIED},
        {"fields": [("X-Forwarded-Proto", "https")], **PROXIED},
        {"fields": [("X-Forwarded-Prefix", "/p")], **PROXIED},
    ],
)
def test_other_urls_have_other_names(changes: dict[str, Any]) -> None:
    assert resource_of(exchange(**changes)) != resource_of(exchange())


@pytest.mark.parametrize("changes", [{"host": "API.example.com"}, {"fields": [("X-Forwarded-Host", "other")]}, PROXIED])
def test_what_does_not_change_the_url_does_not_change_its_name(changes: dict[str, Any]) -> None:
    assert resource_of(exchange(**changes)) == resource_of(exchange())


def test_texts_do_not_run_into_one_another() -> None:
    assert resource_of(exchange(path="/a", query="b=1")) != resource_of(exchange(path="/ab", query="=1"))
    one = variant_of(exchange([("A", "x, y")]), caller(), route(), ("a", "b"))
    assert one != variant_of(exchange([("A", "x"), ("B", "y")]), caller(), route(), ("a", "b"))
    assert one == variant_of(exchange([("A", "x "), ("A", " y")]), caller(), route(), ("a", "b"))


def test_scopes() -> None:
    ours, keyed = cache_rules(), cache_rules(share="key")
    acme, other = caller(), caller(id="other", bucket="{other}")
    bolt, nobody = caller(organization="bolt"), caller(organization=None)
    assert scope_of(acme, route(), ours) == scope_of(other, route(), ours) != scope_of(bolt, route(), ours)
    assert scope_of(acme, route(), keyed) != scope_of(other, route(), keyed)
    assert scope_of(acme, route(), keyed) != scope_of(bolt, route(), keyed) != scope_of(nobody, route(), keyed)
    assert scope_of(nobody, route(), ours) == scope_of(nobody, route(), keyed)
    assert scope_of(caller(organization="acme-ci"), route(), ours) != scope_of(nobody, route(), ours)
    assert scope_of(nobody, route(open=True), ours) == ALL_SCOPES


def test_a_field_that_is_not_there_is_not_an_empty_one() -> None:
    assert variant_of(exchange(), caller(), route(), ("a",)) != variant_of(
        exchange([("A", "")]), caller(), route(), ("a",)
    )


def test_the_coding_selects_only_what_the_service_is_asked_for() -> None:
    names = ("accept-encoding",)
    gzip, br = (exchange([("Accept-Encoding", coding)]) for coding in ("gzip", "br"))
    assert variant_of(gzip, caller(), route(), names) == variant_of(br, caller(), route(), names)
    raw = route(envelope=Envelope("passthrough", 1, "passthrough"))
    assert variant_of(gzip, caller(), raw, names) != variant_of(br, caller(), raw, names)


@pytest.mark.parametrize("name", ["x-api-key", "x-caller-id", "x-forwarded-for"])
@pytest.mark.parametrize(
    "changes",
    [
        {"client": "192.0.2.8"},
        {"peer": "192.0.2.8"},
        {"fields": [("Forwarded", "for=a")]},
        {"certificate_subject": "CN=a"},
    ],
)
def test_what_the_gateway_says_itself_counts_as_all_that_it_says(name: str, changes: dict[str, Any]) -> None:
    one = route(request_filter=FieldFilter([b"x-api-key", b"x-caller-id", b"x-forwarded-for"]))
    before = variant_of(exchange(), caller(), one, (name,))
    assert before != variant_of(exchange(**changes), caller(), one, (name,))
    assert before != variant_of(exchange(), caller(head=b"X-Caller-Id: other\r\n"), one, (name,))
    assert before == variant_of(exchange([("X-Api-Key", "spoofed")]), caller(), one, (name,))


def test_a_field_that_the_request_withholds_is_not_what_the_client_says() -> None:
    x = exchange([("X-A", "1")], withheld=frozenset({b"x-a"}))
    assert variant_of(x, caller(), route(), ("x-a",)) != variant_of(
        exchange([("X-A", "1")]), caller(), route(), ("x-a",)
    )


def test_a_request_with_a_body_is_not_answered_from_a_cache() -> None:
    assert directives_of(exchange(), cache_rules()) == {}
    assert directives_of(exchange(body=Pieces()), cache_rules()) is None
    assert directives_of(
        exchange([("Cookie", "a"), ("Cache-Control", "max-age=1")]), cache_rules(vary=("cookie",))
    ) == {"max-age": "1"}


def test_long_urls_are_not_remembered() -> None:
    long = exchange(path="/" + "a" * 300)
    assert resource_of(long) == resource_of(long) != resource_of(exchange())


def test_long_names_are_not_remembered() -> None:
    for name in ("X-" + "a" * 300, "X_" + "a" * 300):
        found = directives_of(exchange([(name, "1")]), cache_rules())
        assert found == ({} if "_" not in name else None)


def test_credentials_of_a_request_bypass_the_cache_and_no_fields_are_no_variant() -> None:
    assert directives_of(exchange([("Authorization", "Basic x")]), cache_rules()) is None
    assert directives_of(exchange([("Authorization", "Basic x")]), cache_rules(vary=("authorization",))) is not None
    assert variant_of(exchange(), caller(), route(), ()) == b""


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({}, True),
        ({"fields": [("Accept", "text/plain"), ("X-Api-Key", "a")]}, True),
        *(
            ({"fields": [(name, "a")]}, False)
            for name in ("Cookie", "Authorization", "Cache-Control", "Range", "If-Range", "X_A", "If-Modified-Since")
        ),
        ({"body": Pieces()}, False),
        ({"certificate_subject": "CN=a"}, False),
        (PROXIED, False),
        ({"fields": [(f"X-{number}", "a") for number in range(100)]}, True),
    ],
)
def test_a_plain_request_is_one_whose_reply_follows_from_url_and_caller(
    changes: dict[str, Any], *, plain: bool
) -> None:
    for _ in range(2):
        assert is_plain(exchange(**changes)) is plain
