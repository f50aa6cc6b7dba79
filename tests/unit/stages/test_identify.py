"""stages/identify.py: keys in header and URL, organisations, permissions."""

from hashlib import sha256
from inspect import isawaitable
from ipaddress import ip_network

import pytest

from gateway.exchange import Exchange
from gateway.kernel.addresses import AddressRules, Binding, address_rules, referrers
from gateway.kernel.faults import (
    ADDRESS_FORBIDDEN,
    KEY_AMBIGUOUS,
    KEY_MISSING,
    KEY_UNKNOWN,
    MALFORMED_PATH,
    MALFORMED_REQUEST,
    METHOD_FORBIDDEN,
    ORGANIZATION_FORBIDDEN,
    REFERRER_FORBIDDEN,
    ROUTE_FORBIDDEN,
    Fault,
    GatewayError,
)
from gateway.stages.identify import CallerSource, authorize, identify, take_credentials
from gateway.table import Caller, Credentials, FoundCaller, Key, Route, RouteTable
from tests.fake_key_store import FakeKeyStore, stored_keys
from tests.refusals import accepted, refusal
from tests.samples import caller, exchange, keyring, route

KEYS = {
    sha256(b"good").digest(): Key(
        "k", {None: caller(), "acme": caller()}, disabled=False, disabled_organizations=frozenset(), expires=None
    )
}
CERTIFIED = {
    "CN=billing": Key(
        "billing",
        {None: caller(id="billing"), "acme": caller(id="billing")},
        disabled=False,
        disabled_organizations=frozenset(),
        expires=None,
    )
}
CREDENTIALS = Credentials(keyring(KEYS, CERTIFIED), "X-Api-Key", "X-Api-Key", "X-Tenant-Org-Id")


def shown(x: Exchange) -> FoundCaller:
    """The caller in the keyring of the configuration, which is found at once, or why there is none."""
    found = identify(x, CREDENTIALS, CREDENTIALS.keyring, lambda: 0.0)
    assert not isawaitable(found)
    return found


def known(x: Exchange) -> Caller:
    return accepted(shown(x))


def refused(caller: Caller, route: Route, x: Exchange) -> GatewayError | None:
    return authorize(caller, route, x, RouteTable([route]))


async def identified(x: Exchange, callers: CallerSource) -> FoundCaller:
    found = identify(x, CREDENTIALS, callers, lambda: 0.0)
    return await found if isawaitable(found) else found


@pytest.mark.parametrize(
    ("fields", "query", "rest"),
    [
        ([("X-Api-Key", "good")], "", ""),
        ([("x-api-key", "good")], "a=1", "a=1"),
        ([], "a=1&X-Api-Key=good", "a=1"),
        ([], "X%2dApi-Key=%67ood", ""),
        ([("X-Api-Key", "good")], "X-Api-Key=other", ""),
        ([("X-Api-Key", "good"), ("X-Api-Key", "good")], "", ""),
        ([("X-Api-Key", "")], "X-Api-Key=good", ""),
        ([("X-Api-Key", "good"), ("X-Tenant-Org-Id", "acme")], "", ""),
        ([("X-Api-Key", "good"), ("X-Tenant-Org-Id", "")], "", ""),
    ],
)
def test_a_known_key_is_found_and_leaves_the_url(fields: list[tuple[str, str]], query: str, rest: str) -> None:
    x = exchange(fields, query=query)
    take_credentials(x, CREDENTIALS)
    assert known(x).id == "acme-ci"
    assert x.query == rest


@pytest.mark.parametrize(
    ("fields", "query", "fault"),
    [
        ([], "", KEY_MISSING),
        ([("X-Api-Key", "")], "", KEY_MISSING),
        ([], "X-Api-Key=", KEY_MISSING),
        ([], "x-api-key=good", KEY_MISSING),
        ([("X_Api_Key", "good")], "", KEY_MISSING),
        ([("X-Api-Key", "good"), ("X-Api-Key", "bad")], "", KEY_AMBIGUOUS),
        ([], "X-Api-Key=good&X-Api-Key=bad", KEY_AMBIGUOUS),
        ([("X-Api-Key", "bad")], "X-Api-Key=good", KEY_UNKNOWN),
        ([("X-Api-Key", "good,good")], "", KEY_UNKNOWN),
        ([("X-Api-Key", "good"), ("X-Tenant-Org-Id", "umbrella")], "", ORGANIZATION_FORBIDDEN),
        ([("X-Api-Key", "good"), ("X-Tenant-Org-Id", "acme"), ("X-Tenant-Org-Id", "umbrella")], "", MALFORMED_REQUEST),
    ],
)
def test_what_is_no_credential_is_refused(fields: list[tuple[str, str]], query: str, fault: Fault) -> None:
    x = exchange(fields, query=query)
    take_credentials(x, CREDENTIALS)
    raised = refusal(shown(x))
    assert raised.fault is fault


def test_a_key_may_be_held_to_some_routes_and_methods() -> None:
    assert refused(caller(), route(), exchange(method="DELETE")) is None
    assert refused(caller(routes=frozenset({"orders"}), methods=frozenset({"GET"})), route(), exchange()) is None
    raised = refusal(refused(caller(routes=frozenset({"invoices"})), route(), exchange()))
    assert raised.fault is ROUTE_FORBIDDEN
    raised = refusal(refused(caller(methods=frozenset({"GET"})), route(), exchange(method="DELETE")))
    assert raised.fault is METHOD_FORBIDDEN


def test_the_limits_endpoint_is_for_every_caller() -> None:
    assert (
        refused(caller(routes=frozenset({"invoices"}), methods=frozenset({"DELETE"})), route(upstream=None), exchange())
        is None
    )


@pytest.mark.parametrize(
    "path", ["/a;X-Api-Key=good", "/a;b;x_api_key=good", "/a%3FX-Api-Key=good", "/a%253Fx-api-key%253Dgood"]
)
def test_a_key_in_the_path_goes_no_further(path: str) -> None:
    x = exchange([("X-Api-Key", "good")], path=path)
    with pytest.raises(GatewayError) as caught:
        take_credentials(x, CREDENTIALS)
    assert caught.value.fault is MALFORMED_PATH
    assert caught.value.developer_message == "Send your API key in the X-Api-Key header field, and nowhere else."
    assert x.header_keys == ["good"]


@pytest.mark.parametrize("path", ["/x-api-key", "/a;b=c", "/x-api-key%20in%20short"])
def test_a_path_may_speak_of_keys(path: str) -> None:
    x = exchange(path=path)
    take_credentials(x, CREDENTIALS)
    assert x.path == path


def test_a_certificate_does_instead_of_a_key() -> None:
    for organization in ("", "acme"):
        x = exchange([("X-Tenant-Org-Id", organization)], certificate_subject="CN=billing")
        take_credentials(x, CREDENTIALS)
        assert known(x).id == "billing"


@pytest.mark.parametrize(
    ("fields", "subject", "fault"),
    [
        ([], "CN=stranger", KEY_MISSING),
        ([("X-Api-Key", "bad")], "CN=billing", KEY_UNKNOWN),
        ([("X-Tenant-Org-Id", "umbrella")], "CN=billing", ORGANIZATION_FORBIDDEN),
    ],
)
def test_a_certificate_that_does_not(fields: list[tuple[str, str]], subject: str, fault: Fault) -> None:
    x = exchange(fields, certificate_subject=subject)
    take_credentials(x, CREDENTIALS)
    caught = refusal(shown(x))
    assert caught.fault is fault


def test_a_key_wins_over_a_certificate() -> None:
    x = exchange([("X-Api-Key", "good")], certificate_subject="CN=billing")
    take_credentials(x, CREDENTIALS)
    assert known(x).id == "acme-ci"


LONG = "gw_canary_canary_canary"


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        (f"a=1&token={LONG}&b=2", "a=1&b=2"),
        (f"next=/x?k%3D{LONG}&b=2", "b=2"),
        (f"a=1;b={LONG.replace('_', '%255F')};c", "a=1;c"),
        (f"{LONG}", ""),
        (f"X-Api-Key={LONG}&copy={LONG}&a", "a"),
    ],
)
def test_copies_of_a_key_in_the_query_go_no_further(query: str, rest: str) -> None:
    x = exchange([("X-Api-Key", LONG)], query=query)
    take_credentials(x, CREDENTIALS)
    assert x.query == rest


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"path": f"/v1/{LONG}"}, MALFORMED_PATH),
        ({"path": f"/v1/{LONG.replace('c', '%63')}"}, MALFORMED_PATH),
        ({"host": f"{LONG}.example"}, MALFORMED_REQUEST),
    ],
)
def test_a_copy_of_a_key_elsewhere_is_refused(changes: dict[str, str], fault: Fault) -> None:
    x = exchange([("X-Api-Key", LONG)], **changes)
    with pytest.raises(GatewayError) as raised:
        take_credentials(x, CREDENTIALS)
    assert raised.value.fault is fault


@pytest.mark.parametrize(
    ("fields", "subject", "found"),
    [
        ([("X-Api-Key", "good")], "", "good"),
        ([("X-Api-Key", "good"), ("X-Tenant-Org-Id", "acme")], "CN=billing", "good"),
        ([], "CN=billing", "certified"),
        ([("X-Api-Key", "bad")], "", KEY_UNKNOWN),
        ([("X-Api-Key", "good"), ("X-Api-Key", "bad")], "", KEY_AMBIGUOUS),
        ([("X-Api-Key", "good"), ("X-Tenant-Org-Id", "umbrella")], "", ORGANIZATION_FORBIDDEN),
        ([], "", KEY_MISSING),
    ],
)
async def test_keys_in_redis_are_found_by_the_same_rules(
    fields: list[tuple[str, str]], subject: str, found: str | Fault
) -> None:
    key_store = FakeKeyStore()
    key_store.put("good", organizations=["acme"])
    key_store.put_certified("CN=billing")
    x = exchange(fields, certificate_subject=subject)
    take_credentials(x, CREDENTIALS)
    if isinstance(found, str):
        assert accepted(await identified(x, stored_keys(key_store))).id == found
        return
    raised = refusal(await identified(x, stored_keys(key_store)))
    assert raised.fault is found


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        ([("X-Api-Key", f"a-secret-{number}") for number in range(9)], ""),
        ([], "&".join(f"X-Api-Key=a-secret-{number}" for number in range(9))),
        ([("X-Api-Key", "a-secret")], "&".join(["a=a-secret"] * 100)),
    ],
)
def test_too_many_keys_are_refused_before_they_are_searched_for(fields: list[tuple[str, str]], query: str) -> None:
    with pytest.raises(GatewayError) as refused:
        take_credentials(exchange(fields, query=query), CREDENTIALS)
    assert refused.value.fault is KEY_AMBIGUOUS


def test_a_copy_that_a_separator_cuts_in_two_does_not_go_on() -> None:
    with pytest.raises(GatewayError) as refused:
        take_credentials(exchange([("X-Api-Key", "a-se&cret")], query="x=a-se&cret&b=1"), CREDENTIALS)
    assert refused.value.fault is MALFORMED_REQUEST


INSIDE = address_rules((ip_network("10.0.0.0/8"),), ())


@pytest.mark.parametrize(
    ("addresses", "binding", "client", "fault"),
    [
        (INSIDE, None, "10.0.0.1", None),
        (INSIDE, None, "192.0.2.1", ADDRESS_FORBIDDEN),
        (None, Binding(INSIDE, None), "10.0.0.1", None),
        (None, Binding(INSIDE, None), "192.0.2.1", ADDRESS_FORBIDDEN),
        (None, Binding(None, referrers(("https://a.example",))), "192.0.2.1", None),
        (None, Binding(None, referrers(("https://b.example",))), "192.0.2.1", REFERRER_FORBIDDEN),
    ],
)
def test_where_a_request_may_come_from(
    addresses: AddressRules | None, binding: Binding | None, client: str, fault: Fault | None
) -> None:
    x = exchange([("Origin", "https://a.example")], client=client)
    if fault is None:
        assert refused(caller(binding=binding), route(addresses=addresses), x) is None
        return
    raised = refusal(refused(caller(binding=binding), route(addresses=addresses), x))
    assert raised.fault is fault
