"""config_diff/changes.py: what is different, in an operator's terms."""

import pytest

from gateway.config_diff.changes import Change, changes, spelled
from gateway.config_diff.inventory import Redactor, items_of
from gateway.settings import Config, parse
from tests.every_field import fields, variants, whole
from tests.yaml_files import DIGEST

REDACTOR = Redactor(b"salt", local=True)
SAME_IN_ANY_FILE = {(Config, "version"), (Config, "include")}
"""The format, and the names of the files."""
SAMPLE = f"""
version: 1
organizations: [{{id: acme}}, {{id: initech}}]
plans:
  - {{id: standard, limits: [{{id: minute, max: 300, per: 1m}}]}}
  - {{id: small, limits: [{{id: minute, max: 30, per: 1m}}]}}
  - {{id: odd, limits: [{{id: hour, max: 300, per: 1h}}]}}
keys:
  - {{id: ci, secret_sha256: {DIGEST}, organizations: [acme], routes: ["o.*"], methods: [GET, POST]}}
  - {{id: all, secret_sha256: {DIGEST[::-1]}, organizations: [initech]}}
upstreams: [{{id: u, targets: [{{url: "http://a:1"}}]}}]
routes:
  - {{id: o.list, match: {{path: /o, methods: [GET, POST]}}, upstream: u, limits: [{{id: second, max: 5, per: 1s}}]}}
  - {{id: o.item, match: {{path: "/o/{{id}}", methods: [GET, DELETE]}}, upstream: u}}
  - {{id: status, match: {{path: /status}}, upstream: u, auth: none}}
"""


def found(before: Config | str, after: Config | str) -> list[Change]:
    old, new = (parse(each) if isinstance(each, str) else each for each in (before, after))
    return changes(items_of(old, REDACTOR), items_of(new, REDACTOR))


def reported(*replacements: tuple[str, str]) -> list[str]:
    """What is said when these texts of SAMPLE are others."""
    text = SAMPLE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return reported_of(SAMPLE, text)


def reported_of(before: str, after: str) -> list[str]:
    return [f"{change.effect}: {change.kind} {change.name}: {change.text}" for change in found(before, after)]


def test_nothing_is_different_from_itself() -> None:
    assert found(SAMPLE, SAMPLE) == []
    assert found(whole(), whole()) == []


def test_to_leave_the_store_of_keys_breaks_them_all() -> None:
    """What was in it, nobody here knows."""
    text = SAMPLE[: SAMPLE.index("keys:")] + "redis: {url: 'redis://cache'}\n" + SAMPLE[SAMPLE.index("upstreams:") :]
    assert reported_of(text + "keys: {store: redis}\n", text) == ["breaking: store keys: removed (redis)"]
    assert reported_of(text, text + "keys: {store: redis}\n") == ["widening: store keys: added (redis)"]


def test_what_keys_in_the_store_may_have_breaks_them_when_it_goes() -> None:
    head, rest = SAMPLE[: SAMPLE.index("keys:")], SAMPLE[SAMPLE.index("upstreams:") :]
    text = head + "redis: {url: 'redis://cache'}\nkeys: {store: redis}\n" + rest
    for removed, name in (
        ("  - {id: odd, limits: [{id: hour, max: 300, per: 1h}]}\n", "plan odd"),
        (", {id: initech}", "organization initech"),
    ):
        assert reported_of(text, text.replace(removed, "")) == [
            f"breaking: {name}: removed (keys in the store may have it)"
        ]
    assert reported_of(text, text.replace("id: o.item", "id: o.one")) == [
        "breaking: route o.one: was called o.item, as keys in the store may have it"
    ]


def test_no_field_of_the_schema_can_change_unseen() -> None:
    config = whole()
    before = [*items_of(config, REDACTOR)]
    seen = {
        (variant.section, variant.field)
        for variant in variants(config)
        if changes(before, items_of(variant.config, REDACTOR))
    }
    assert fields() - seen == SAME_IN_ANY_FILE


@pytest.mark.parametrize("backwards", [False, True])
def test_each_change_is_reported_for_its_item(*, backwards: bool) -> None:
    config = whole()
    items = [*items_of(config, REDACTOR)]
    for variant in variants(config):
        pair = (items, [*items_of(variant.config, REDACTOR)])
        for change in changes(*(reversed(pair) if backwards else pair)):
            assert change.text
            assert change.before != change.after or change.concerned


def test_routes_come_and_go() -> None:
    third = "{id: status, match: {path: /status}, upstream: u, auth: none}"
    assert reported((third, "{id: fresh, match: {prefix: /fresh, methods: [GET]}, upstream: u}")) == [
        "widening: route fresh: added (GET /fresh/**)",
        "breaking: route status: removed (GET,POST,PUT,PATCH,DELETE /status, no key asked)",
    ]


def test_quotas_come_and_go_and_another_plan_may_have_some() -> None:
    without = "limits: [{id: minute, max: 300, per: 1m}]}"
    quota = "quotas: [{id: jobs, code: 8001, kind: count, max: 9, charge: [{routes: [o.list]}]}]"
    metered = SAMPLE.replace(without, f"{without[:-1]}, {quota}}}").replace("id: ci,", "id: ci, plan: odd,")
    assert reported_of(SAMPLE.replace("id: ci,", "id: ci, plan: odd,"), metered) == [
        "breaking: quota jobs of plan standard: added (count up to 9, code 8001)"
    ]
    assert reported_of(metered, SAMPLE.replace("id: ci,", "id: ci, plan: odd,")) == [
        "widening: quota jobs of plan standard: removed (count up to 9, code 8001)"
    ]
    (onto,) = reported_of(metered, metered.replace("plan: odd", "plan: standard"))
    assert onto == "breaking: key ci: plan odd -> standard"


def test_a_new_route_takes_calls_from_another_one_and_one_that_goes_leaves_them() -> None:
    methods, status = "GET,POST,PUT,PATCH,DELETE", "  - {id: status, match: {path: /status}, upstream: u, auth: none}\n"
    with_all = SAMPLE + "  - {id: all, match: {prefix: /}, upstream: u}\n"
    without = with_all.replace(status, "")
    assert reported_of(with_all, without) == [
        f"breaking: route status: removed ({methods} /status, no key asked, left to all)"
    ]
    assert reported_of(without, with_all) == [
        f"widening: route status: added ({methods} /status, no key asked, taken from all)"
    ]
    opened = without.replace("match: {prefix: /}, upstream: u", "match: {prefix: /}, upstream: u, auth: none")
    asking_for_keys = opened + "  - {id: status, match: {path: /status}, upstream: u}\n"
    assert reported_of(opened, asking_for_keys) == [
        f"breaking: route status: added ({methods} /status, taken from all)"
    ]


@pytest.mark.parametrize(
    ("more", "effect"),
    [
        ("", "widening"),
        (", limits: [{id: m, max: 5, per: 1s}]", "widening"),
        (", limits: [{id: m, max: 4, per: 1s}]", "breaking"),
        (", cost: 2", "breaking"),
        (", error_family: analytics", "breaking"),
        (", timeouts: {total: 1s}", "breaking"),
        (", headers: {request: {set: {X-A: b}}}", "widening"),
    ],
)
def test_a_new_route_breaks_the_calls_that_it_takes_where_they_have_less_of_it(more: str, effect: str) -> None:
    before = SAMPLE.replace("match: {path: /o, methods", "match: {prefix: /o, methods")
    limits = "" if "limits" in more else ", limits: [{id: second, max: 5, per: 1s}]"
    (reported,) = reported_of(
        before, before + f"  - {{id: o.new, match: {{path: /o/a/b, methods: [GET]}}, upstream: u{more}{limits}}}\n"
    )
    assert reported == f"{effect}: route o.new: added (GET /o/a/b, taken from o.list)"


def test_a_key_that_may_use_the_route_that_calls_used_and_not_the_new_one_loses_them() -> None:
    before = SAMPLE.replace("match: {path: /o, methods", "match: {prefix: /o, methods").replace('["o.*"]', "[o.list]")
    assert reported_of(before, before + "  - {id: special, match: {path: /o/a/b, methods: [GET]}, upstream: u}\n") == [
        "breaking: key ci: may no longer use special",
        "widening: route special: added (GET /o/a/b, taken from o.list)",
    ]


def test_what_belongs_to_an_item_is_added_and_removed_with_it() -> None:
    sections = (
        "routes:\n",
        "routes:\n  - {id: x, match: {path: /x, methods: [GET]}, upstream: u, limits: [{id: l, max: 1, per: 1s}]}\n",
    )
    assert reported(sections) == ["widening: route x: added (GET /x)"]
    assert reported(("  - {id: odd, limits: [{id: hour, max: 300, per: 1h}]}\n", "")) == ["other: plan odd: removed"]


def test_a_route_under_another_name_is_still_the_same_one() -> None:
    assert reported(("id: o.item", "id: o.one"), ("id: o.list", "id: p.list")) == [
        "breaking: key ci: may no longer use p.list",
        "other: route p.list: was called o.list",
        "other: route o.one: was called o.item",
    ]
    assert reported(("id: o.list", "id: o.all"), ("max: 5,", "max: 4,")) == [
        "other: route o.all: was called o.list",
        "breaking: limit second of route o.all: max 5 -> 4",
    ]


def test_keys_lose_and_gain_access() -> None:
    assert reported(
        ('["o.*"]', "[o.item, status]"), ("methods: [GET, POST]}\n  - {id: all", "methods: [GET, PUT]}\n  - {id: all")
    ) == [
        "breaking: key ci: may no longer use o.list",
        "breaking: key ci: may no longer use POST",
        "widening: key ci: may also use PUT",
    ]
    assert reported(('["o.*"]', '["o.*", "o.i*"]')) == ["other: key ci: routes +o.i*"]
    assert reported((', routes: ["o.*"]', ""), ("auth: none", "auth: key"))[0] == "other: key ci: routes [o.*] -> none"
    assert reported((f"{DIGEST[::-1]}, ", f"{DIGEST[::-1]}, routes: [status], ")) == [
        "breaking: key all: may no longer use o.list, o.item"
    ]


def test_all_routes_that_a_key_loses_are_known_and_a_few_are_reported() -> None:
    routes = "".join(f"  - {{id: x{number}, match: {{path: /x{number}}}, upstream: u}}\n" for number in range(7))
    (change,) = found(SAMPLE.replace('"o.*"', '"o.*", "x*"') + routes, SAMPLE + routes)
    assert change.text == "may no longer use x0, x1, x2, x3, x4 and 2 more"
    assert change.concerned == [f"x{number}" for number in range(7)]


def test_keys_come_go_and_change() -> None:
    assert reported(
        (f"secret_sha256: {DIGEST},", f"secret_sha256: {'0a' * 32}, disabled: true,"), ("[acme]", "[initech, acme]")
    ) == [
        "breaking: key ci: another secret",
        "breaking: key ci: organizations +initech",
        "breaking: key ci: disabled false -> true",
    ]
    assert reported(("id: all,", "id: every,")) == ["widening: key every: added", "breaking: key all: removed"]


@pytest.mark.parametrize(
    ("plan", "effect"),
    [("small", "breaking"), ("anonymous", "other"), ("odd", "breaking")],
)
def test_another_plan_is_judged_by_its_limits(plan: str, effect: str) -> None:
    assert reported(("[initech]}", f"[initech], plan: {plan}}}")) == [f"{effect}: key all: plan standard -> {plan}"]
    assert reported(("auth: none", f"auth: none, plan: {plan}"))[:1] == (
        [] if plan == "anonymous" else [f"{effect}: route status: plan anonymous -> {plan}"]
    )


def test_limits_come_go_and_change() -> None:
    assert reported((", limits: [{id: second, max: 5, per: 1s}]", "")) == [
        "widening: limit second of route o.list: removed (5 per 1s)"
    ]
    assert reported(
        ("organizations: [{id: acme}", "organizations: [{id: acme, limits: [{id: d, max: 9, per: 1d}]}")
    ) == ["breaking: limit d of organization acme: added (9 per 1d)"]
    assert reported(("max: 5, per: 1s", "max: 5, per: 1s, shadow: true")) == [
        "widening: limit second of route o.list: shadow false -> true"
    ]
    assert reported(("max: 5, per: 1s", "max: 300, per: 1m")) == [
        "widening: limit second of route o.list: max 5 -> 300",
        "widening: limit second of route o.list: per 1s -> 1m",
    ]
    assert reported(
        (
            "limits: [{id: minute, max: 30, per: 1m}]",
            "limits: [{id: minute, max: 30, per: 1m}, {id: x, max: 9, per: 1s, shadow: true}]",
        )
    ) == ["other: limit x of plan small: added (9 per 1s, in shadow)"]


def test_a_key_s_own_limit_is_judged_by_the_one_of_its_plan_that_it_replaces() -> None:
    def own_limits(limit: str) -> tuple[str, str]:
        return "id: all,", f"id: all, limits: [{{{limit}}}],"

    assert reported(own_limits("id: minute, max: 600, per: 1m")) == [
        "widening: limit minute of key all: added (600 per 1m)"
    ]
    assert reported(own_limits("id: minute, max: 60, per: 1m")) == [
        "breaking: limit minute of key all: added (60 per 1m)"
    ]
    assert reported(own_limits("id: other, max: 600, per: 1h")) == [
        "breaking: limit other of key all: added (600 per 1h)"
    ]
    with_own = SAMPLE.replace(*own_limits("id: minute, max: 600, per: 1m"))
    assert [change.effect for change in found(with_own, SAMPLE)] == ["breaking"]


def test_defaults_are_reported_at_the_routes_that_they_are_for() -> None:
    lines = reported(("version: 1", "version: 1\ndefaults: {timeouts: {total: 5s}}"))
    assert lines == [
        "other: section defaults: timeouts.total none -> 5s",
        *(f"breaking: route {name}: timeouts.total 30s -> 5s" for name in ("o.list", "o.item", "status")),
    ]


def test_changed_secrets_are_reported_and_not_shown() -> None:
    admin = ("version: 1", "version: 1\nadmin: {token: sesame}")
    text = SAMPLE.replace(*admin)
    (change,) = found(text, text.replace("sesame", "barley"))
    assert (change.effect, change.text) == ("other", "another token")
    (change,) = found(SAMPLE, text)
    assert change.text.startswith("token none -> ***")


def test_values_are_spelled_for_people() -> None:
    assert [
        spelled(value) for value in (None, True, False, "", [1, "a"], {"url": "http://a", "weight": 2, "x": None})
    ] == [
        *("none", "true", "false", '""', "[1, a]"),
        "url=http://a weight=2",
    ]
