"""cli/top/overview.py: what several gateways say together."""

from typing import Any

import pytest

from gateway.cli.top.overview import GatewayPages, TargetOut, TopSort, overview
from tests.unit.cli.top.pages import error, history, measures, near


def pages(admin: str = "a:1", **tables: Any) -> GatewayPages:
    return GatewayPages(admin, history(**tables))


def test_rates_are_those_of_the_time_that_was_counted() -> None:
    found = overview([pages()], [], 10, "requests")
    total = found.total
    assert (total.requests_per_s, total.error_rate, total.client_error_rate, total.limited_per_s) == (
        10.0,
        0.01,
        0.1,
        0.5,
    )
    young = overview([pages(began="2026-11-30T01:59:50.000Z")], [], 10, "requests")
    assert young.total.requests_per_s == 60.0
    newborn = overview([pages(began="2026-11-30T02:00:00.000Z")], [], 10, "requests")
    assert newborn.total.requests_per_s == 600.0
    within = overview([pages(at="2026-11-30T02:00:05.000Z", total=measures(650))], [], 10, "requests")
    assert within.total.requests_per_s == 10.0


def test_counts_of_gateways_add_up_and_the_slowest_is_shown() -> None:
    one = pages(routes=[{"route": "orders", **measures(60, p95=5.0)}, {"route": "idle", **measures(0, p95=None)}])
    two = pages("b:1", routes=[{"route": "orders", **measures(120, server=12, p95=9.0)}])
    found = overview([one, two], ["c:1: no"], 10, "requests")
    orders, idle = found.routes
    assert (orders.name, orders.requests_per_s, orders.error_rate, orders.p95_ms) == ("orders", 3.0, 0.0667, 9.0)
    assert (idle.name, idle.requests_per_s, idle.p95_ms) == ("idle", 0.0, None)
    assert [(each.admin, each.requests_per_s) for each in found.gateways] == [("a:1", 10.0), ("b:1", 10.0)]
    assert (found.total.requests_per_s, found.not_answered) == (20.0, ["c:1: no"])


def test_a_target_is_named_with_its_upstream() -> None:
    targets = [
        {"upstream": "u", "target": "10.0.0.1:80", **measures(60)},
        {"upstream": "u", "target": "", **measures(6)},
    ]
    assert [each.name for each in overview([pages(targets=targets)], [], 10, "requests").targets] == [
        "u 10.0.0.1:80",
        "u",
    ]


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("requests", "many"),
        ("errors", "bad"),
        ("limited", "greedy"),
        ("p50", "slow"),
        ("p95", "slow"),
        ("p99", "slow"),
        ("name", "bad"),
    ],
)
def test_rows_are_sorted_and_as_many_as_are_asked_for(sort: TopSort, first: str) -> None:
    keys = [
        {"key": "many", **measures(1000)},
        {"key": "bad", **measures(10, server=9)},
        {"key": "greedy", **measures(20, limited=15)},
        {"key": "slow", **measures(5, p95=900.0)},
        {"key": "quiet", **measures(1, p95=None)},
    ]
    found = overview([pages(keys=keys)], [], 2, sort).keys
    assert (len(found), found[0].name) == (2, first)


def test_redis_is_away_when_a_worker_says_so() -> None:
    def state(*redis: dict[str, bool] | None) -> str | None:
        workers = [{"redis": each} for each in redis]
        page = GatewayPages("a:1", history(), {"workers": workers}, None, {"status": "ready"})
        (gateway,) = overview([page], [], 1, "name").gateways
        assert gateway.ready
        return gateway.redis

    up, down = {"up": True}, {"up": False}
    assert [state(up, up), state(up, down), state(None), state()] == ["up", "away", None, None]
    (unknown,) = overview([pages()], [], 1, "name").gateways
    assert (unknown.ready, unknown.redis) == (False, None)


def test_limits_that_are_near_come_once_and_the_nearest_first() -> None:
    one = pages(near_limits=[near("a", 60), near("b", 30, "2026-11-30T01:59:00.000Z")])
    two = pages("b:1", near_limits=[near("b", 10), near("a", 70, "2026-11-30T01:58:00.000Z")])
    found = overview([one, two], [], 10, "name").near_limits
    assert [(each["key"], each["remaining"]) for each in found] == [("b", 10), ("a", 60)]


def test_errors_of_one_kind_add_up() -> None:
    found = overview(
        [pages(errors=[error(503, 60), error(502, 6)]), pages("b:1", errors=[error(503, 30)])], [], 10, "name"
    ).errors
    assert [(each["status"], each["requests_per_s"]) for each in found] == [(503, 1.5), (502, 0.1)]


def test_targets_that_are_out_are_named() -> None:
    targets = [
        {"url": "http://a", "state": "up"},
        {"url": "http://b", "state": "ejected", "since": "2026-11-30T01:59:00.000Z"},
    ]
    upstreams = [
        {"id": "orders", "circuit": {"state": "open"}, "targets": targets},
        {"id": "stock", "circuit": {"state": "closed"}, "targets": []},
        {"id": "mail", "circuit": None, "targets": []},
    ]
    page = GatewayPages("a:1", history(), None, {"upstreams": upstreams})
    assert overview([page, pages("b:1")], [], 10, "name").targets_out == [
        TargetOut("orders", None, "circuit open", None, "a:1"),
        TargetOut("orders", "http://b", "ejected", "2026-11-30T01:59:00.000Z", "a:1"),
    ]
