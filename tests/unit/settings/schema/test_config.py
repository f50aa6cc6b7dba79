"""settings/schema/config.py: what the parts of a configuration mean together."""

import pytest

from gateway.settings import parse
from gateway.settings.schema.config import LIMITS_ROUTE, Config
from tests.yaml_files import LEAST

WRITTEN = {
    "version": 1,
    "server": {"limits_path": "/limits"},
    "plans": [{"id": "standard", "limits": [{"id": "a", "max": 1, "per": "1s"}, {"id": "b", "max": 2, "per": "1m"}]}],
    "keys": [
        {
            "id": "k",
            "secret_sha256": "0" * 64,
            "limits": [{"id": "a", "max": 9, "per": "1s"}, {"id": "c", "max": 1, "per": "1h"}],
        }
    ],
    "upstreams": [
        {"id": "u", "targets": [{"url": "http://127.0.0.1:1"}], "timeouts": {"total": "9s", "connect": "3s"}}
    ],
    "defaults": {"timeouts": {"connect": "2s"}, "headers": {"request": {"set": {"X-A": "1"}}}},
    "routes": [
        {"id": "open", "match": {"path": "/o"}, "upstream": "u", "auth": "none", "envelope": {"mode": "wrap"}},
        {"id": "r", "match": {"path": "/r"}, "upstream": "u", "timeouts": {"total": "5s"}},
    ],
}
CONFIG = Config.model_validate(WRITTEN)


def test_built_in_plans_are_added_unless_declared() -> None:
    assert [plan.id for plan in CONFIG.plans] == ["standard", "anonymous"]
    assert CONFIG.plan_of(CONFIG.routes[0]).id == "anonymous"
    assert CONFIG.plan_of(CONFIG.keys[0]).id == "standard"
    assert CONFIG.plan_limits("nobody") == ()


def test_limits_of_a_key_replace_those_of_its_plan() -> None:
    assert [(limit.id, limit.max) for limit in CONFIG.limits_of(CONFIG.keys[0])] == [("a", 9), ("b", 2), ("c", 1)]


def test_routes_inherit_field_by_field() -> None:
    opened, route = CONFIG.routes
    assert (CONFIG.envelope_of(opened).mode, CONFIG.envelope_of(route).mode) == ("wrap", "auto")
    timeouts = CONFIG.timeouts_of(route)
    assert (timeouts.total, timeouts.connect, timeouts.first_byte) == (5, 2, 10)
    assert CONFIG.headers_of(route).request.set == {"X-A": "1"}
    assert CONFIG.upstream_of(route).id == "u"


def test_the_route_of_the_gateway_itself_is_known_where_it_has_a_path() -> None:
    assert CONFIG.route_ids() == {"open", "r", LIMITS_ROUTE}
    assert Config.model_validate(WRITTEN | {"server": {}}).route_ids() == {"open", "r"}


def test_what_limits_do_without_redis() -> None:
    assert CONFIG.ways_without_redis() == frozenset()
    assert Config.model_validate(
        WRITTEN | {"redis": {"url": "redis://h:1/0", "on_failure": "deny"}}
    ).ways_without_redis() == {"deny"}


def test_keys_stand_in_the_file_or_in_a_store() -> None:
    stored = Config.model_validate(WRITTEN | {"keys": {"store": "redis"}})
    assert stored.key_store is not None
    assert (len(stored.keys), stored.key_count()) == (0, None)
    assert CONFIG.key_count() == len(CONFIG.keys)
    assert CONFIG.key_store is None


def test_pages_and_addresses_are_those_of_the_file() -> None:
    config = parse(LEAST + 'defaults: {cors: {origins: ["https://a.example"]}}\nadmin: {allow: [10.0.0.0/8]}\n')
    assert config.cors_of(config.routes[0]).origins == ("https://a.example",)
    rules = config.admin_addresses()
    assert rules is not None
    assert (rules.permits("10.0.0.1"), rules.permits("192.0.2.1")) == (True, False)
    assert parse(LEAST).admin_addresses() is None


@pytest.mark.parametrize(
    ("own", "allow", "deny"),
    [
        ("", ["10.0.0.0/8"], ["10.9.0.0/16"]),
        (", allow: []", [], ["10.9.0.0/16"]),
        (", allow: [192.0.2.1], deny: [10.9.0.0/16, 10.8.0.0/16]", ["192.0.2.1/32"], ["10.9.0.0/16", "10.8.0.0/16"]),
    ],
)
def test_a_route_has_the_addresses_of_defaults(own: str, allow: list[str], deny: list[str]) -> None:
    config = parse(
        "version: 1\nupstreams: [{id: u, targets: [{url: 'http://a'}]}]\n"
        f"routes: [{{id: r, match: {{prefix: /}}, upstream: u{own}}}]\n"
        "defaults: {allow: [10.0.0.0/8], deny: [10.9.0.0/16]}\n"
    )
    found = config.addresses_of(config.routes[0])
    assert [[str(each) for each in side] for side in found] == [allow, deny]
