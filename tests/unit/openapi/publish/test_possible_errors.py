"""openapi/publish/possible_errors.py: the errors of a route are those that its configuration makes possible."""

from typing import Any

import pytest

from gateway.kernel.faults import CATALOGUE
from gateway.openapi.model import EVERYBODY, Audience
from gateway.openapi.publish.possible_errors import PossibleError, PossibleErrors
from gateway.settings import parse

DIGEST = "0" * 64


def errors(route: str = "", method: str = "GET", rest: str = "", audience: Audience = EVERYBODY) -> list[PossibleError]:
    methods = "[GET, POST, PUT, DELETE]"
    config = parse(
        'version: 1\nupstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]\n'
        f"routes: [{{id: r, upstream: u, match: {{path: /r, methods: {methods}}}{route}}}]\n{rest}"
    )
    found = PossibleErrors(config, CATALOGUE, audience).of(config.routes[0], method)
    assert len({(each.name, each.code) for each in found}) == len(found)
    return list(found)


def names(*args: Any, **options: Any) -> set[str]:
    return {each.name for each in errors(*args, **options)}


def test_every_name_is_one_of_the_catalogue() -> None:
    assert names(", idempotency: {}, request: {schema: s.json}", "POST") <= CATALOGUE.keys()


STORE = "redis: {url: redis://localhost}\nkeys: {store: redis}\n"


def keyed(more: str = "") -> str:
    return f"organizations: [{{id: o}}]\nkeys: [{{id: k, secret_sha256: '{DIGEST}', organizations: [o]{more}}}]\n"


@pytest.mark.parametrize(
    ("name", "possible", "impossible"),
    [
        ("key_missing", {}, {"route": ", auth: none"}),
        ("organization_forbidden", {}, {"route": ", auth: none"}),
        ("address_forbidden", {"route": ", allow: [10.0.0.0/8]"}, {}),
        ("address_forbidden", {"route": ", deny: [10.0.0.0/8], auth: none"}, {"route": ", auth: none", "rest": STORE}),
        ("address_forbidden", {"rest": keyed(", allow: [10.0.0.0/8]")}, {"rest": keyed()}),
        ("address_forbidden", {"rest": STORE}, {}),
        ("address_forbidden", {"rest": "defaults: {deny: [10.0.0.0/8]}\n"}, {}),
        ("referrer_forbidden", {"rest": keyed(', referrers: ["https://a.example"]')}, {"rest": keyed()}),
        ("keys_unavailable", {"rest": STORE}, {}),
        ("body_too_large", {"method": "PUT"}, {"method": "GET"}),
        (
            "request_invalid",
            {"route": ", request: {schema: s.json}"},
            {"route": ", request: {schema: s.json, mode: shadow}"},
        ),
        ("media_type_unsupported", {"route": ", request: {schema: s.json}", "method": "POST"}, {"method": "POST"}),
        (
            "bodies_full",
            {"route": ", request: {schema: s.json}", "method": "POST"},
            {"route": ", request: {schema: s.json}"},
        ),
        ("idempotency_mismatch", {"route": ", idempotency: {}", "method": "POST"}, {"route": ", idempotency: {}"}),
        ("limiter_unavailable", {"rest": "redis: {url: redis://localhost, on_failure: deny}\n"}, {}),
        ("upstream_type_refused", {}, {"route": ", envelope: {binary: passthrough}"}),
        (
            "upstream_body_invalid",
            {"route": ", envelope: {binary: passthrough}"},
            {"route": ", envelope: {mode: passthrough}"},
        ),
        ("rate_limited", {}, {"route": ", auth: none", "rest": "plans: [{id: anonymous, limits: []}]\n"}),
        (
            "rate_limited",
            {"rest": f"plans: [{{id: standard, limits: []}}]\n{keyed(', limits: [{id: a, max: 1, per: 1s}]')}"},
            {
                "rest": f"plans: [{{id: standard, limits: []}}]\n{keyed()}",
                "audience": Audience("standard", keyed=True),
            },
        ),
        (
            "concurrency_exceeded",
            {"rest": "plans: [{id: standard, limits: [], concurrency: {key: 2}}]\n"},
            {
                "rest": "plans: [{id: standard, limits: [], concurrency: {key: 2}}]\n",
                "audience": Audience("other", keyed=True),
            },
        ),
        (
            "concurrency_exceeded",
            {"rest": "organizations: [{id: o, concurrency: 2}]\n"},
            {"rest": "organizations: [{id: o, concurrency: 2}]\n", "route": ", auth: none"},
        ),
    ],
)
def test_what_decides(name: str, possible: dict[str, Any], impossible: dict[str, Any]) -> None:
    assert name in names(**possible)
    assert name not in names(**impossible)


def test_quotas_have_their_own_codes_on_the_routes_where_they_are_charged() -> None:
    quotas = "quotas: [{id: a, code: 8003, kind: count, max: 1, charge: [{routes: [r], methods: [POST]}]}]"
    rest = f"plans: [{{id: standard, limits: [], {quotas}}}]\n"
    assert [
        (each.code, each.status, each.retryable) for each in errors("", "POST", rest) if each.name == "quota_spent"
    ] == [(8003, 429, True)]
    assert "quota_spent" not in names(rest=rest)


def test_codes_are_those_of_the_family() -> None:
    found = {each.name: each.code for each in errors(", error_family: analytics")}
    assert (found["upstream_refused"], found["upstream_timeout"], found["internal_error"]) == (5001, 5000, 1004)
