"""Configurations for the rules of `gateway check`, and what the rules find."""

from pathlib import Path

from gateway.lint.run import linter
from gateway.settings import load_with_warnings

NOW_S = 1_800_000_000.0
DIGEST = "a" * 64
FINE = f"""\
version: 1
organizations:
- {{id: acme}}
plans:
- {{id: gold, limits: [{{id: minute, max: 300, per: 1m}}, {{id: day, max: 100000, per: 1d}}]}}
keys:
- {{id: k, secret_sha256: {DIGEST}, plan: gold, organizations: [acme], expires: 2099-01-01T00:00:00Z, routes: [r], methods: [GET]}}
upstreams:
- {{id: u, targets: [{{url: "https://127.0.0.1:1"}}], timeouts: {{first_byte: 5s, total: 10s}}}}
routes:
- {{id: r, match: {{path: "/a/{{id}}"}}, upstream: u}}
- {{id: s, match: {{path: "/b"}}, upstream: u, auth: none}}
"""
"""No rule finds anything here."""


def found(tmp_path: Path, text: str) -> list[tuple[str, int, str]]:
    """The rule, line and path of each warning."""
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    _, warnings = load_with_warnings(file, {}, lint=linter(NOW_S))
    return [(each.rule, each.line, each.path) for each in warnings]


def edited(*changes: tuple[str, str]) -> str:
    """The text with each first string replaced by the second one."""
    text = FINE
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return text
