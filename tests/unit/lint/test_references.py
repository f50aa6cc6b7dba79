"""lint/references.py: what is unused, and what a key cannot use."""

from pathlib import Path

from tests.linted import DIGEST, edited, found


def test_keys_in_redis_and_the_first_key_may_refer_to_anything(tmp_path: Path) -> None:
    keys = f"- {{id: k, secret_sha256: {DIGEST}, plan: gold, organizations: [acme], expires: 2099-01-01T00:00:00Z, routes: [r], methods: [GET]}}\n"
    assert found(tmp_path, edited(("keys:\n" + keys, ""))) == []
    text = edited(("keys:\n" + keys, 'redis: {url: "redis://127.0.0.1:1"}\nkeys: {store: redis}\n'))
    assert found(tmp_path, text) == []


def test_a_plan_of_an_open_route_is_used(tmp_path: Path) -> None:
    assert found(tmp_path, edited(("plan: gold, ", ""), ("auth: none", "auth: none, plan: gold"))) == []


def test_methods_that_no_route_of_the_key_has(tmp_path: Path) -> None:
    text = edited(('{path: "/a/{id}"}', '{path: "/a/{id}", methods: [POST]}'))
    assert found(tmp_path, text) == [("W005", 7, "keys[0].methods")]


def test_what_nothing_refers_to(tmp_path: Path) -> None:
    assert found(tmp_path, edited(("- {id: acme}", "- {id: acme}\n- {id: other}"))) == [
        ("W003", 4, "organizations[1].id")
    ]
    assert found(tmp_path, edited(("plans:\n", "plans:\n- {id: idle, limits: []}\n"))) == [("W002", 5, "plans[0].id")]
    idle = 'upstreams:\n- {id: idle, targets: [{url: "https://127.0.0.1:1"}]}\n'
    assert found(tmp_path, edited(("upstreams:\n", idle))) == [("W001", 9, "upstreams[0].id")]


def test_keys_that_have_expired_and_keys_without_a_route(tmp_path: Path) -> None:
    assert found(tmp_path, edited(("2099-01-01", "2020-01-01"))) == [("W004", 7, "keys[0].expires")]
    assert found(tmp_path, edited(("routes: [r]", "routes: [s]"))) == [("W005", 7, "keys[0].routes")]
