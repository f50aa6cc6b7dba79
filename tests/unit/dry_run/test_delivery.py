"""dry_run/delivery.py: to which upstream calls go, and when they are sent again."""

import pytest

from gateway.dry_run.delivery import (
    HedgeReport,
    ReplyCheckReport,
    RetryReport,
    hedge_report,
    reply_check,
    retry_report,
    split_shares,
    upstream_of,
)
from gateway.settings import Config, parse


def configured(route: str, retry: str = "") -> Config:
    upstreams = ", ".join(
        f'{{id: {name}, targets: [{{url: "http://{name}"}}, {{url: "http://{name}:81"}}]{retry}}}'
        for name in ("v1", "v2")
    )
    return parse(f"version: 1\nupstreams: [{upstreams}]\nroutes: [{{id: r, match: {{prefix: /}}, {route}}}]\n")


def test_a_split_with_its_shares() -> None:
    route = configured("split: [{upstream: v1, weight: 3}, {upstream: v2, weight: 1}]").routes[0]
    callers = [f"key-{number}" for number in range(200)]
    chosen = [[each.upstream for each in split_shares(route, caller) if each.chosen] for caller in callers]
    assert [(each.upstream, each.share) for each in split_shares(route, "a")] == [("v1", 0.75), ("v2", 0.25)]
    assert 100 < chosen.count(["v1"]) < 200
    assert chosen.count(["v1"]) + chosen.count(["v2"]) == 200
    assert [[upstream_of(route, caller)] for caller in callers] == chosen
    plain = configured("upstream: v1").routes[0]
    assert (split_shares(plain, "a"), upstream_of(plain, "a")) == ([], "v1")


@pytest.mark.parametrize(
    ("route", "upstream", "attempts", "own_budget"),
    [
        ("", ", retry: {attempts: 2}", 2, False),
        (", retry: {attempts: 4}", "", 4, True),
        (", retry: {per_try: 1s}", ", retry: {attempts: 2}", 2, False),
        (", retry: {budget: 1%}", ", retry: {attempts: 2}", 2, True),
    ],
)
def test_rules_and_whose_budget_counts(route: str, upstream: str, attempts: int, *, own_budget: bool) -> None:
    config = configured(f"upstream: v1{route}", upstream)
    found = retry_report(config, config.routes[0], "v1")
    assert isinstance(found, RetryReport)
    assert (found.attempts, found.own_budget) == (attempts, own_budget)


def test_no_rules() -> None:
    config = configured("upstream: v1")
    assert retry_report(config, config.routes[0], "v1") is None


def test_second_attempts() -> None:
    hedge = HedgeReport("200ms", ("GET",), 0.05)
    assert hedge_report(configured("upstream: v1", ", hedge: {after: 0.2s}"), "v1") == hedge
    assert hedge_report(configured("upstream: v1"), "v1") is None


def test_answers_that_are_checked() -> None:
    checked = configured("upstream: v1, response: {openapi: a.yaml, operation: get}").routes[0]
    assert reply_check(checked) == ReplyCheckReport("a.yaml", "get", 0.05)
    assert reply_check(configured("upstream: v1").routes[0]) is None
