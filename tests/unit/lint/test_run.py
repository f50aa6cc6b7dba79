"""lint/run.py: each rule has a configuration in which it finds something, and one in which it does not."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.settings.rules import RULES
from tests.linted import FINE, edited, found

FIRES: dict[str, tuple[str, int, str]] = {
    "W001": (
        edited(("upstreams:\n", 'upstreams:\n- {id: v, targets: [{url: "http://127.0.0.1:1"}]}\n')),
        9,
        "upstreams[0].id",
    ),
    "W002": (edited(("plan: gold, ", "")), 5, "plans[0].id"),
    "W003": (edited(("organizations: [acme], ", "")), 3, "organizations[0].id"),
    "W004": (edited(("2099-01", "2020-01")), 7, "keys[0].expires"),
    "W005": (edited(("routes: [r]", "routes: [s]")), 7, "keys[0].routes"),
    "W006": (edited(("/a/{id}", "/a/:id")), 11, "routes[0].match.path"),
    "W007": (edited(("first_byte: 5s", "first_byte: 15s")), 9, "upstreams[0].timeouts.first_byte"),
    "W008": (FINE + 'admin: {address: "0.0.0.0:9901"}\n', 13, "admin.address"),
    "W009": (
        edited(("upstreams:\n- {id: u,", "upstreams:\n- {id: u, tls: {verify: false},")),
        9,
        "upstreams[0].tls.verify",
    ),
    "W010": (edited(("max: 100000, per: 1d", "max: 1000000, per: 1d")), 5, "plans[0].limits[1].max"),
    "W012": (
        FINE + 'server: {listeners: [{id: l, address: "127.0.0.1:1", trusted_proxies: [10.0.0.0/8]}]}\n',
        13,
        "server.listeners",
    ),
    "W014": (edited(('{path: "/b"}', "{prefix: /a}")), 12, "routes[1].auth"),
    "W015": (
        edited(
            ('{path: "/b"}, upstream: u', '{path: "/b/{x}"}, upstream: u, rewrite: {strip_prefix: /b, add_prefix: /a}')
        ),
        12,
        "routes[1].auth",
    ),
    "W020": (
        edited(('/a/{id}"}, upstream: u', '/a/{id}"}, idempotency: {}, upstream: u')),
        11,
        "routes[0].idempotency",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_what_it_is_about(tmp_path: Path, rule: str) -> None:
    text, line, path = FIRES[rule]
    assert (rule, line, path) in found(tmp_path, text)


def test_no_rule_finds_anything_where_nothing_is_wrong(tmp_path: Path) -> None:
    assert found(tmp_path, FINE) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_comment_on_the_line_accepts_it(tmp_path: Path, rule: str) -> None:
    text, number, path = FIRES[rule]
    lines = text.splitlines()
    lines[number - 1] += f" # check: ignore W999,{RULES[rule].name}"
    assert (rule, number, path) not in found(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("name", ["gateway", "minimal", "redis", "container"])
def test_the_examples_pass_strictly(name: str) -> None:
    environ = {"PARTNER_KEY_SHA256": "a" * 64, "UPSTREAM_URL": "http://127.0.0.1:1"}
    done = CliRunner(env=environ).invoke(main, ["check", f"config/{name}.yaml", "--strict"])
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1), done.output
