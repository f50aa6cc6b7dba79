"""kernel/http/request_headers.py: what goes on and what stays."""

import pytest

from gateway.kernel.http import request_headers as headers
from gateway.kernel.http.request_fields import FieldShape
from gateway.kernel.http.request_headers import FieldFilter, connection_options, forwarded_prefix


@pytest.mark.parametrize(
    "name",
    [
        b"Accept",
        b"content-type",
        b"X-Custom",
        b"my_header",
        b"my.header",
        b"Authorization",
        b"Via",
        b"Cookie",
        b"Proxyish",
    ],
)
def test_ordinary_fields_pass(name: bytes) -> None:
    assert FieldFilter([])[name]


@pytest.mark.parametrize(
    "name",
    [
        b"Connection", b"TE", b"Transfer-Encoding", b"Transfer_Encoding", b"Content-Length", b"Host", b"Expect", b"Upgrade", b"Proxy",
        b"X-Original-URL", b"x_rewrite_url", b"X-HTTP-Method-Override", b"True-Client-IP", b"X-Forwarded-For", b"X_Forwarded_Host",
        b"X-Consumer-Username", b"Forwarded", b"X-Caller-Id", b"X_CALLER_PLAN", b"X.Caller.Id", b"X~Caller-Plan", b"Front-End-Https", b"X-Secret", b"x_secret",
    ],
)  # fmt: skip
def test_fields_that_are_not_a_clients_to_send_stay(name: bytes) -> None:
    assert not FieldFilter([b"X-Secret"])[name]


@pytest.mark.parametrize(
    "name",
    [
        b"X-Envoy-Original-Path", b"X-Envoy-External-Address", b"X_Envoy_Internal", b"X-Accel-Mapping", b"X-SSL-Client-CN", b"X-SSL-Client-S-DN",
        b"X-Client-Cert", b"X-Client-Certificate-Chain", b"Client-Cert", b"SSL_CLIENT_S_DN", b"Ssl-Client-Verify", b"X-Forwarded-Client-Cert",
        b"X-WEBAUTH-USER", b"X_WEBAUTH_ROLE", b"X-MS-CLIENT-PRINCIPAL", b"X-MS-CLIENT-PRINCIPAL-ID", b"x_ms_client_principal_name",
        b"X-MS-TOKEN-AAD-ID-TOKEN", b"X-Goog-Iap-Jwt-Assertion", b"X-Goog-Authenticated-User-Email", b"x-amzn-oidc-data",
        b"x_amzn_oidc_identity", b"X-Amzn-Mtls-Clientcert-Subject", b"X-Remote-User", b"X-Remote-Groups", b"Remote-User", b"Remote_Email",
        b"X-Forwarded-User", b"X-Forwarded-Email", b"X-Forwarded-Groups", b"X-Forwarded-Access-Token", b"X-Auth-Request-User", b"X-Auth-User",
        b"Cf-Connecting-Ip", b"CF-Connecting-IPv6", b"Cf-Access-Jwt-Assertion", b"True-Client-Ip", b"X-Real-Ip", b"X-Real-Port", b"Fastly-Client-Ip",
        b"X-Original-URL", b"X-Original-Method", b"X-Rewrite-URL", b"X-Middleware-Subrequest", b"Tailscale-User-Login", b"OIDC_CLAIM_sub",
        b"Shib-Session-ID", b"SM_USER", b"iv-user", b"$WSRU", b"WL-Proxy-Client-Cert", b"X-Authentik-Username", b"X-Pomerium-Claim-Email",
        b"l5d-client-id", b"X-Forwarded-Prefix", b"X-Forwarded-Port", b"X-Forwarded", b"X-AppEngine-User-Email", b"X-ARR-ClientCert",
        b"X-User", b"X-User-Id", b"x_user_roles", b"X-Username", b"X-Token-User-Email", b"X-Requested-Method", b"Incap-Client-IP",
        b"X-Backend-Host", b"Tenant-Org-Id", b"X-Script-Name", b"X-Replaced-Path", b"X-ProxiedEntitiesChain", b"X-Proxy-Roles", b"X-SSO-User",
        b"MS-ASPNETCORE-WINAUTHTOKEN", b"Impersonate-User", b"X-SAML-Subject", b"Fly-Client-IP", b"X-Vercel-Forwarded-For", b"X-Scope-OrgID",
        b"Akamai-Client-Ip", b"CF-Visitor", b"AJP_eppn", b"X-Cf-Forwarded-Url", b"X-User-Id_", b"Forwarded-", b"X_Caller_Id.",
    ],
)  # fmt: skip
def test_no_client_names_the_caller_that_another_proxy_has_authenticated(name: bytes) -> None:
    assert not FieldFilter([])[name]


@pytest.mark.parametrize(
    "name",
    [
        b"X-Ms-Client-Request-Id", b"X-Client-Version", b"X-Api-Client", b"X-Auth-Token", b"X-User-Agent", b"X-Amz-Date", b"X-Goog-Api-Key", b"WS-Thing",
        b"X-Correlation-Id", b"Sec-WebSocket-Key", b"Idempotency-Key", b"X-Requested-With", b"Origin", b"Authorization", b"X-Hub-Signature",
    ],
)  # fmt: skip
def test_what_clients_say_of_themselves_passes(name: bytes) -> None:
    assert FieldFilter([])[name]


def test_a_family_of_names_stays() -> None:
    some = FieldFilter([b"X-Internal-*", b"X-One"])
    assert [some[name] for name in (b"X-Internal-A", b"x_internal_b", b"X-Internal", b"X-One", b"X-Ones")] == [
        False,
        False,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ([], ""),
        (["/public"], "/public"),
        (["/public/", "/a/b"], "/public/a/b"),
        (["/a, /b%20c/"], "/a/b%20c"),
        (["/"], ""),
        (["//evil.example"], ""),
        (["/a//b"], ""),
        (["/\\evil"], ""),
        (["evil"], ""),
        (["/a b"], ""),
        (["/a", "x"], ""),
        (["/\udcff"], ""),
    ],
)
def test_the_prefix_that_proxies_send(values: list[str], path: str) -> None:
    assert forwarded_prefix(values) == path


def test_the_memory_for_names_is_bounded() -> None:
    some = FieldFilter([])
    for number in range(headers._REMEMBERED + 10):
        assert some[b"X-%d" % number]
    assert len(some) <= headers._REMEMBERED


def test_a_selection_of_very_many_names_is_not_remembered() -> None:
    some = FieldFilter([])
    few, many = FieldShape.of((b"Accept", b"Host")), FieldShape.of(tuple([b"X-%d" % number for number in range(65)]))
    for _ in range(2):
        assert some.selection(few) == (True, False)
        assert some.selection(many) == (True,) * 65
    assert [*some._selections] == [few]


def test_connection_options() -> None:
    assert connection_options(["close, X-Hop ,", "Keep-Alive", "\udcff"]) == {
        b"close",
        b"x-hop",
        b"keep-alive",
        b"\xff",
    }
