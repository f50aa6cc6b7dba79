"""table/limits_route.py: where callers look up their limits, and nobody else's requests go."""

import pytest

from gateway.kernel.faults import METHOD_NOT_ALLOWED, NO_ROUTE
from gateway.openapi.publish.exporting import PublishedDocument
from gateway.settings import parse
from gateway.table import RouteTable
from gateway.table.compile import build_routes
from tests.refusals import accepted, refusal
from tests.samples import Echo, caller

TEXT = """
version: 1
server: {limits_path: /_gateway/limits}
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
routes: [{id: all, match: {prefix: /}, upstream: orders}]
"""


def table(text: str) -> RouteTable:
    return build_routes(parse(text), {"orders": Echo()}, {})


def test_the_gateway_answers_there_at_no_cost() -> None:
    found = accepted(table(TEXT).match("HEAD", "/_gateway/limits"))
    assert (found.id, found.upstream, found.open) == ("gateway.limits", None, False)
    assert found.tariff is not None
    assert (found.tariff.claim(caller(), "GET").cost, found.tariff.claim(caller(), "GET").windows) == (
        0,
        caller().claim.windows,
    )


@pytest.mark.parametrize("path", ["/_gateway/limits", "/_gateway/limit%73"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "BREW"])
def test_other_methods_go_nowhere_else(method: str, path: str) -> None:
    raised = refusal(table(TEXT).match(method, path))
    assert (raised.fault, raised.allow) == (METHOD_NOT_ALLOWED, "GET, HEAD")


def test_what_is_beside_and_below_is_not_its_own() -> None:
    assert accepted(table(TEXT).match("POST", "/_gateway/limits/x")).id == "all"
    assert accepted(table(TEXT).match("POST", "/_gateway")).id == "all"


def test_the_document_is_served_to_everybody_within_its_limits() -> None:
    config, document = parse(TEXT.replace("{limits_path: /_gateway/limits}", "{openapi_path: /api.json}")), object()
    table = build_routes(config, {"orders": Echo()}, {}, document=document)
    for path in ("/api.json", "/api.yaml"):
        found = accepted(table.match("GET", path))
        assert (found.id, found.pattern, found.upstream, found.tariff) == ("gateway.openapi", path, None, None)
        assert (found.open, found.open_plan, found.document) == (True, "anonymous", document)
        assert [window.max for window in found.open_windows] == [300]
    assert accepted(build_routes(config, {"orders": Echo()}, {}).match("GET", "/api.json")).id == "all"


def test_a_key_is_shown_and_rotated_at_the_usual_cost() -> None:
    path = "{self_service_path: /_gateway/key}"
    text = TEXT.replace("{limits_path: /_gateway/limits}", path) + "redis: {url: 'redis://h'}\nkeys: {store: redis}\n"
    own_keys = object()
    table = build_routes(parse(text), {"orders": Echo()}, {}, own_keys=own_keys)
    for method, path, route_id in (
        ("HEAD", "/_gateway/key", "gateway.key"),
        ("POST", "/_gateway/key/rotate", "gateway.key.rotate"),
    ):
        found = accepted(table.match(method, path))
        assert (found.id, found.upstream, found.tariff, found.open) == (route_id, None, None, False)
        assert found.self_service is own_keys
    raised = refusal(table.match("POST", "/_gateway/key"))
    assert (raised.fault, raised.allow) == (METHOD_NOT_ALLOWED, "GET, HEAD")


def test_the_page_that_shows_it_is_the_same_for_everybody() -> None:
    config = parse(
        TEXT.replace("{limits_path: /_gateway/limits}", "{openapi_path: /api.json, docs_path: /docs}")
        + "defaults: {headers: {response: {set: {Strict-Transport-Security: max-age=1, Referrer-Policy: origin}}}}\n"
    )
    document = PublishedDocument(config, {})
    table = build_routes(config, {"orders": Echo()}, {}, document=document)
    found = accepted(table.match("GET", "/docs/page.js"))
    assert (found.id, found.open, found.document, found.file) == (
        "gateway.docs",
        True,
        None,
        document.files["/docs/page.js"],
    )
    assert "Strict-Transport-Security" in dict(found.own_set)
    assert "Referrer-Policy" not in dict(found.own_set)
    assert accepted(table.match("GET", "/docs/other.js")).id == "all"


def test_each_listener_has_a_document_of_its_own() -> None:
    server = 'server: {openapi_path: /api.json, listeners: [{id: a, address: "127.0.0.1:1"}, {id: b, address: "127.0.0.1:2"}]}'
    text = TEXT.replace("server: {limits_path: /_gateway/limits}", server).replace(
        "prefix: /", "prefix: /, listener: a"
    )
    table = build_routes(parse(text), {"orders": Echo()}, {}, document=PublishedDocument(parse(text), {}))
    assert [accepted(table.at(each).match("GET", "/api.json")).match_listener for each in ("a", "b")] == ["a", "b"]


def test_without_a_path_there_is_none() -> None:
    text = TEXT.replace("server: {limits_path: /_gateway/limits}\n", "").replace("prefix: /", "prefix: /v1")
    raised = refusal(table(text).match("GET", "/_gateway/limits"))
    assert raised.fault is NO_ROUTE


def test_addresses_of_all_routes_are_those_of_this_one() -> None:
    text = TEXT + "defaults: {deny: [10.0.0.0/8]}\n"
    rules = accepted(table(text).match("GET", "/_gateway/limits")).addresses
    assert rules is not None
    assert not rules.permits("10.1.2.3")
