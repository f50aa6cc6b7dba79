"""config_diff/effects.py: what callers would notice of a change, and who may do more."""

from typing import Any

import pytest

from gateway.config_diff.effects import Effect, effect_of, effect_of_adding, effect_of_removing, effect_on_allowance

BREAKING, WIDENING, OTHER = "breaking", "widening", "other"


@pytest.mark.parametrize(
    ("kind", "aspect", "before", "after", "forth", "back"),
    [
        ("route", "path", "/a", "/b", BREAKING, BREAKING),
        ("route", "path", "/a/{id}", "/a/{name}", OTHER, OTHER),
        ("route", "path", "/a/b", "/a/**", WIDENING, BREAKING),
        ("route", "path", "/a/b/**", "/a/**", WIDENING, BREAKING),
        ("route", "path", "/ab/**", "/a/**", BREAKING, BREAKING),
        ("route", "path", "/{rest*}", "/**", OTHER, OTHER),
        ("route", "match.methods", ["GET"], ["GET", "PUT"], WIDENING, BREAKING),
        ("route", "match.methods", ["GET", "PUT"], ["PUT", "GET"], OTHER, OTHER),
        ("route", "match.headers.X-A", None, "1", BREAKING, BREAKING),
        ("route", "upgrade", ["websocket"], None, BREAKING, WIDENING),
        ("route", "allow", None, ["10.0.0.0/8"], BREAKING, WIDENING),
        ("route", "allow", ["10.0.0.0/8"], ["10.0.0.0/8", "::1/128"], WIDENING, BREAKING),
        ("route", "deny", None, ["10.0.0.0/8"], BREAKING, WIDENING),
        ("route", "cors.origins", ["https://a.example"], None, BREAKING, WIDENING),
        ("route", "cors.credentials", True, False, BREAKING, WIDENING),
        ("route", "auth", "none", "key", BREAKING, WIDENING),
        ("route", "cost.DELETE", None, 5, BREAKING, WIDENING),
        ("route", "cost.DELETE", 0, None, BREAKING, WIDENING),
        ("route", "error_family", "general", "analytics", BREAKING, BREAKING),
        ("route", "envelope.mode", "auto", "wrap", BREAKING, BREAKING),
        ("route", "envelope.binary", "passthrough", "refuse", BREAKING, WIDENING),
        ("route", "envelope.max_buffer", "1MiB", "2MiB", OTHER, OTHER),
        ("route", "timeouts.total", "1m", "30s", BREAKING, WIDENING),
        ("route", "timeouts.idle", "2m", "30s", BREAKING, WIDENING),
        ("route", "timeouts.idle", None, "60s", BREAKING, WIDENING),  # for events it was ten minutes
        ("route", "timeouts.idle", None, "11m", WIDENING, BREAKING),
        ("route", "maintenance.message", None, "back soon", BREAKING, WIDENING),
        ("route", "maintenance.message", "back soon", "back at noon", OTHER, OTHER),
        ("route", "request.openapi", "a.yaml", "b.yaml", BREAKING, BREAKING),
        ("route", "request.openapi", None, "a.yaml", OTHER, OTHER),
        ("route", "request.unknown_fields", "ignore", "refuse", BREAKING, WIDENING),
        ("route", "request.unknown_fields", None, "ignore", OTHER, OTHER),
        ("route", "request.max_body", None, "1MiB", OTHER, OTHER),
        ("route", "request.max_body", "2MiB", "1MiB", BREAKING, WIDENING),
        ("route", "match.host", None, "a.example", BREAKING, WIDENING),
        ("route", "cors.methods", None, ["GET"], BREAKING, WIDENING),
        ("route", "cors.methods", ["GET"], ["GET", "PUT"], WIDENING, BREAKING),
        ("route", "upstream", "a", "b", OTHER, OTHER),
        ("route", "headers.request.set.X-Service", None, "b", OTHER, OTHER),
        ("limit", "scope", "key", "organization", BREAKING, WIDENING),
        ("limit", "scope", "organization", "route", BREAKING, WIDENING),
        ("limit", "methods", None, ["GET"], WIDENING, BREAKING),
        ("limit", "methods", ["GET"], ["GET", "PUT"], BREAKING, WIDENING),
        ("limit", "methods", ["PUT", "GET"], ["GET", "PUT"], OTHER, OTHER),
        ("limit", "on_failure", None, "deny", BREAKING, WIDENING),
        ("quota", "max", 5, 4, BREAKING, WIDENING),
        ("quota", "code", 8001, 8003, BREAKING, BREAKING),
        ("quota", "per", None, "month", OTHER, OTHER),
        ("quota", "per", None, "ever", BREAKING, BREAKING),
        ("quota", "scope", "key", "organization", BREAKING, WIDENING),
        ("quota", "expires", None, "25h", BREAKING, WIDENING),
        ("quota", "expires", None, "1d", OTHER, OTHER),
        ("quota", "message", None, "a", OTHER, OTHER),
        ("plan", "concurrency.key", None, 5, BREAKING, WIDENING),
        ("plan", "concurrency.organization", 5, 4, BREAKING, WIDENING),
        ("organization", "concurrency", 5, None, WIDENING, BREAKING),
        ("key", "secret_sha256", "a", "b", BREAKING, BREAKING),
        ("key", "certificate_subject", None, "CN=a", WIDENING, BREAKING),
        ("key", "organizations", ["a"], ["a", "b"], WIDENING, BREAKING),
        ("key", "organizations", ["a", "b"], ["b", "a"], BREAKING, BREAKING),
        ("key", "organizations", None, ["b"], BREAKING, BREAKING),
        ("key", "organizations", ["a", "b", "c"], ["a", "c", "b"], OTHER, OTHER),
        ("key", "expires", None, "2027-01-01T00:00:00Z", BREAKING, WIDENING),
        ("key", "expires", "2027-01-02T00:00:00Z", "2027-01-01T00:00:00Z", BREAKING, WIDENING),
        ("key", "disabled", False, True, BREAKING, WIDENING),
        ("organization", "disabled", False, True, BREAKING, WIDENING),
        ("organization", "name", "", "ACME", OTHER, OTHER),
        ("upstream", "tls.verify", True, False, WIDENING, OTHER),
        ("upstream", "timeouts.total", "30s", "1s", OTHER, OTHER),
        ("listener", "address", "a:1", "a:2", BREAKING, BREAKING),
        ("listener", "trusted_proxies", ["10.0.0.0/8"], ["10.0.0.0/8", "unix"], WIDENING, BREAKING),
        ("listener", "proxy_protocol", False, True, BREAKING, BREAKING),
        ("listener", "redirect", None, "https", BREAKING, WIDENING),
        ("listener", "limits.body", "10MiB", "1MiB", BREAKING, WIDENING),
        ("listener", "limits.header_timeout", "10s", "1s", BREAKING, WIDENING),
        ("listener", "tls.certificates", None, [{"certificate": "a"}], BREAKING, BREAKING),
        ("listener", "tls.certificates", [{"certificate": "b"}], [{"certificate": "a"}], OTHER, OTHER),
        ("listener", "tls.min_version", "1.2", "1.3", BREAKING, WIDENING),
        ("listener", "tls.client_ca", None, "ca.pem", BREAKING, WIDENING),
        ("listener", "tls.client_auth", "optional", "required", BREAKING, WIDENING),
        ("error", "status", 503, 504, BREAKING, BREAKING),
        ("error", "code", 1004, 1, BREAKING, BREAKING),
        ("error", "message", "a", "b", OTHER, OTHER),
        ("section server", "paths.empty_segments", "merge", "refuse", BREAKING, WIDENING),
        ("section server", "limits_path", None, "/limits", WIDENING, BREAKING),
        ("section server", "limits_path", "/limits", "/my-limits", BREAKING, BREAKING),
        ("section server", "openapi_path", None, "/openapi.json", WIDENING, BREAKING),
        ("section server", "openapi_path", "/openapi.json", "/api.json", BREAKING, BREAKING),
        ("section server", "self_service_path", None, "/key", WIDENING, BREAKING),
        ("section server", "docs_path", None, "/docs", WIDENING, BREAKING),
        ("section auth", "key.header", "X-Api-Key", "X-Key", BREAKING, BREAKING),
        ("section auth", "organization_header", "X-A", "X-B", BREAKING, BREAKING),
        ("section auth", "caller_headers.id", "X-A", "X-B", OTHER, OTHER),
        ("section redis", "on_failure", "local", "deny", BREAKING, WIDENING),
        ("section redis", "on_failure", "local", "allow", OTHER, OTHER),
        ("section observability", "request_id.header", "X-A", "X-B", BREAKING, BREAKING),
        ("section server", "drain_delay", "1s", "2s", OTHER, OTHER),
    ],
)
def test_a_change_and_its_reverse(kind: str, aspect: str, before: Any, after: Any, forth: Effect, back: Effect) -> None:
    kind, _, name = kind.partition(" ")
    assert effect_of(kind, name or "x", aspect, before, after) == forth
    assert effect_of(kind, name or "x", aspect, after, before) == back


def test_what_callers_use_may_be_added_and_not_removed() -> None:
    assert [(effect_of_adding(kind), effect_of_removing(kind)) for kind in ("route", "key", "listener")] == [
        (WIDENING, BREAKING)
    ] * 3
    assert [(effect_of_adding(kind), effect_of_removing(kind)) for kind in ("plan", "upstream", "section")] == [
        (OTHER, OTHER)
    ] * 3


def limit(most: int, per: str, guarantee: str = "burst", *, shadow: bool = False) -> dict[str, Any]:
    return {"max": most, "per": per, "guarantee": guarantee, "shadow": shadow}


@pytest.mark.parametrize(
    ("before", "after", "forth", "back"),
    [
        ([], [limit(300, "1m")], BREAKING, WIDENING),
        ([], [limit(300, "1m", shadow=True)], OTHER, OTHER),
        ([limit(300, "1m")], [limit(300, "1m", "any-window")], BREAKING, WIDENING),
        # As many a minute in the long run, but fewer at once.
        ([limit(300, "1m")], [limit(5, "1s")], BREAKING, WIDENING),
        # More at once, fewer in an hour.
        ([limit(60, "1m")], [limit(100, "1h")], BREAKING, BREAKING),
        ([limit(300, "1m"), limit(1000, "1d")], [limit(1000, "1d"), limit(300, "1m")], OTHER, OTHER),
        ([limit(300, "1m")], [limit(300, "1m"), limit(10**9, "1d")], OTHER, OTHER),
    ],
)
def test_limits_are_judged_by_what_a_greedy_caller_gets(
    before: list[dict[str, Any]], after: list[dict[str, Any]], forth: Effect, back: Effect
) -> None:
    assert (effect_on_allowance(before, after), effect_on_allowance(after, before)) == (forth, back)
