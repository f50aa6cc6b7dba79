"""stages/identify.py: header lines that come again."""

from hashlib import sha256

import pytest

from gateway.exchange import Exchange
from gateway.kernel.faults import (
    KEY_MISSING,
    KEY_UNKNOWN,
    MALFORMED_PATH,
    ORGANIZATION_FORBIDDEN,
    GatewayError,
)
from gateway.kernel.http.request_fields import RequestLine
from gateway.stages.identify import identify, take_credentials
from gateway.table import Credentials, Key
from tests.refusals import refusal
from tests.samples import caller, exchange, keyring, known_lines
from tests.unit.stages.test_identify import CREDENTIALS, KEYS, known, shown

LINES = (("Host", "api.example.com"), ("X-Api-Key", "good"), ("X-Tenant-Org-Id", "acme"))


def repeated(*fields: tuple[str, str], times: int = 3) -> list[Exchange]:
    """Exchanges with the same header lines, one after the other, whose callers were identified."""
    headers, made = known_lines(*fields), []
    for _ in range(times):
        x = exchange(headers=headers)
        take_credentials(x, CREDENTIALS)
        known(x)
        made.append(x)
    return made


def test_what_lines_say_about_the_caller_is_found_out_once() -> None:
    first, *others = repeated(*LINES)
    facts = first.headers.facts
    assert facts is not None
    assert (facts.form.credentials, facts.organization, facts.digest) == (CREDENTIALS, "acme", sha256(b"good").digest())
    assert [x.keys for x in others] == [["good"], ["good"]]
    assert known(others[0]) is known(first)


def test_beside_a_request_line_that_is_remembered_no_key_is_searched_as_long_as_the_credentials_are_the_same() -> None:
    (x,) = repeated(*LINES, times=1)
    line = RequestLine("GET", "/v1/orders", "", remembered=True)
    again, changed, unknown = (
        exchange(headers=headers, line=line) for headers in (x.headers, x.headers, known_lines(*LINES))
    )
    take_credentials(again, CREDENTIALS)
    assert (again.line, again.header_keys, again.keys, again.shows_key) == (line, None, ["good"], True)
    take_credentials(changed, Credentials(CREDENTIALS.keyring, "X-Token", "X-Token", "X-Org"))
    assert (changed.line, changed.keys, changed.shows_key) == (None, [], False)
    take_credentials(unknown, CREDENTIALS)
    assert (unknown.line, unknown.keys) == (None, ["good"])


@pytest.mark.parametrize(
    ("query", "kept", "passed_on"),
    [
        ("page=2", True, "page=2"),
        ("page=2&x-api-key=other", False, "page=2"),
        ("X_API_KEY=other", False, ""),
        ("a=%67ood", False, "a=%67ood"),
        ("a+b", False, "a+b"),
        ("a=good&b", False, "a=good&b"),
    ],
)
def test_a_query_is_searched_only_where_a_key_may_be_in_it(query: str, passed_on: str, *, kept: bool) -> None:
    (x,) = repeated(*LINES, times=1)
    line = RequestLine("GET", "/v1/orders", "", remembered=True)
    again, searched = exchange(headers=x.headers, query=query, line=line), exchange(headers=x.headers, query=query)
    take_credentials(again, CREDENTIALS)
    take_credentials(searched, CREDENTIALS)
    assert (again.line is line) is kept
    assert again.query == searched.query == passed_on
    assert again.keys == searched.keys


def test_lines_that_are_known_are_looked_at_anew_for_other_credentials() -> None:
    (x,) = repeated(*LINES, times=1)
    other = Credentials(CREDENTIALS.keyring, "X-Api-Key", "X-Api-Key", "X-Org")
    take_credentials(x, other)
    assert identify(x, other, other.keyring, lambda: 0.0) is KEYS[sha256(b"good").digest()].callers[None]


def test_only_a_caller_that_cannot_change_is_not_asked_for_again() -> None:
    for lasting in (True, False):
        each = caller(lasting=lasting)
        key = Key("k", {None: each}, disabled=False, disabled_organizations=frozenset(), expires=None)
        credentials = Credentials(keyring({sha256(b"good").digest(): key}), "X-Api-Key", "X-Api-Key", "X-Tenant-Org-Id")
        first, again = (exchange(headers=known_lines(("X-Api-Key", "good")), header_keys=["good"]) for _ in range(2))
        again.headers = first.headers
        assert identify(first, credentials, credentials.keyring, lambda: 0.0) is each
        found = identify(again, credentials, keyring({}), lambda: 0.0)
        assert found is each if lasting else refusal(found).fault is KEY_UNKNOWN


@pytest.mark.parametrize(
    "path",
    ["/v1/a-long-secret", "/v1/%61-long-secret", "/v1;X-Api-Key=x", "/v1/%3BX-Api-Key=x", "/v1/%2561-long-secret"],
)
def test_a_key_in_the_path_is_refused_beside_known_lines(path: str) -> None:
    headers = known_lines(("Host", "api.example.com"), ("X-Api-Key", "a-long-secret"))
    x = exchange(headers=headers)
    take_credentials(x, CREDENTIALS)
    assert refusal(shown(x)).fault is KEY_UNKNOWN  # which is found out each time
    assert headers.facts is not None
    assert headers.facts.form.credentials is CREDENTIALS
    with pytest.raises(GatewayError) as raised:
        take_credentials(exchange(headers=headers, path=path), CREDENTIALS)
    assert raised.value.fault is MALFORMED_PATH


def test_a_query_beside_known_lines_is_looked_at() -> None:
    (x,) = repeated(*LINES, times=1)
    again = exchange(headers=x.headers, query="X-Api-Key=good&a=b")
    take_credentials(again, CREDENTIALS)
    assert (again.query, again.query_keys, again.header_keys) == ("a=b", ["good"], ["good"])
    assert known(again) is known(x)


@pytest.mark.parametrize("certificate", ["", "CN=unknown"])
def test_lines_without_a_key_have_none_when_they_come_again(certificate: str) -> None:
    headers = known_lines(("Host", "api.example.com"))
    for _ in range(3):
        x = exchange(headers=headers, certificate_subject=certificate)
        take_credentials(x, CREDENTIALS)
        assert x.header_keys == []
        assert refusal(shown(x)).fault is KEY_MISSING
    assert headers.facts is not None
    assert headers.facts.form.credentials is CREDENTIALS
    x = exchange(headers=headers, query="X-Api-Key=good")
    take_credentials(x, CREDENTIALS)
    assert (x.header_keys, x.query_keys) == ([], ["good"])
    assert known(x) is KEYS[sha256(b"good").digest()].callers[None]
    with pytest.raises(GatewayError):
        take_credentials(exchange(headers=headers, path="/v1;X-Api-Key=x"), CREDENTIALS)


def test_lines_that_have_a_key_by_other_credentials_only_have_none_by_these() -> None:
    (x,) = repeated(*LINES, times=1)
    other = Credentials(CREDENTIALS.keyring, "X-Token", "X-Token", "X-Org")
    for _ in range(2):
        again = exchange(headers=x.headers)
        take_credentials(again, other)
        assert again.header_keys == []
        assert refusal(identify(again, other, other.keyring, lambda: 0.0)).fault is KEY_MISSING


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ((("Host", "good"), ("X-Api-Key", "good")), "good"),
        ((("Host", "a%20b"), ("X-Api-Key", "good")), "a%20b"),
    ],
)
def test_lines_with_a_key_in_host_are_looked_at_each_time(fields: tuple[tuple[str, str], ...], host: str) -> None:
    headers = known_lines(*fields)
    x = exchange(headers=headers, host=host, header_keys=["good"])
    assert known(x) is not None
    assert headers.facts is not None
    assert headers.facts.form.credentials is None


def test_an_organisation_with_a_very_long_name_is_not_noted() -> None:
    headers = known_lines(("X-Api-Key", "good"), ("X-Tenant-Org-Id", "a" * 257))
    assert refusal(shown(exchange(headers=headers, header_keys=["good"]))).fault is ORGANIZATION_FORBIDDEN
    assert headers.facts is not None
    assert headers.facts.organization is None
