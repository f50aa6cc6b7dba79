"""lint/security.py: addresses, certificates and limits of one node."""

from pathlib import Path

import pytest

from tests.linted import FINE, edited, found


@pytest.mark.parametrize(
    ("admin", "rules"),
    [
        ('{address: "[::]:9901"}', ["W008"]),
        ('{address: "0.0.0.0:9901", token: sesame-open-the-door}', []),
        ('{address: "10.0.0.1:9901"}', []),
        ("{}", []),
    ],
)
def test_the_admin_listener(tmp_path: Path, admin: str, rules: list[str]) -> None:
    assert [rule for rule, _, _ in found(tmp_path, f"{FINE}admin: {admin}\n")] == rules


def test_with_redis_nodes_count_together(tmp_path: Path) -> None:
    server = 'server: {listeners: [{id: l, address: "127.0.0.1:1", trusted_proxies: [10.0.0.0/8]}]}\n'
    assert found(tmp_path, FINE + server + 'redis: {url: "redis://127.0.0.1:1"}\n') == []


def test_limits_of_each_node_alone(tmp_path: Path) -> None:
    server = 'server: {listeners: [{id: l, address: "127.0.0.1:1", trusted_proxies: [10.0.0.0/8]}]}\n'
    assert [rule for rule, _, _ in found(tmp_path, FINE + server)] == ["W012"]


def test_certificates_that_nobody_looks_at(tmp_path: Path) -> None:
    text = edited(('[{url: "https://127.0.0.1:1"}]', '[{url: "https://127.0.0.1:1"}], tls: {verify: false}'))
    assert found(tmp_path, text) == [("W009", 9, "upstreams[0].tls.verify")]
