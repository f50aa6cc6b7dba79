"""The catalogue of warnings. Ids and names never change, and are never used again for something else."""

import re
from typing import Literal, TypeAlias

import msgspec

_COMMENT = re.compile(r"# ?check: ignore ([A-Za-z0-9_.,-]{1,200})")
"""A comment that accepts what the rules that it names find on its line."""

RuleSeverity: TypeAlias = Literal["warning", "info"]


class LintRule(msgspec.Struct, frozen=True):
    """One kind of warning. `check --strict` fails for those with the severity `warning`."""

    id: str
    name: str
    severity: RuleSeverity
    summary: str


RULES = {
    rule.id: rule
    for rule in (
        LintRule("W001", "upstream.unused", "warning", "No route leads to the upstream."),
        LintRule("W002", "plan.unused", "warning", "No key and no route has the plan."),
        LintRule("W003", "organization.unused", "warning", "No key belongs to the organisation."),
        LintRule("W004", "key.expired", "warning", "The key has expired, so every call with it is refused."),
        LintRule("W005", "key.without-routes", "warning", "The key may use no route, or no method of its routes."),
        LintRule("W006", "match.foreign-pattern", "warning", "The path has what other gateways write for a parameter."),
        LintRule(
            "W007",
            "timeouts.first-byte-over-total",
            "warning",
            "`first_byte` is longer than `total`.",
        ),
        LintRule("W008", "admin.open-without-token", "warning", "The admin listener is on all addresses."),
        LintRule("W009", "tls.unverified", "warning", "The certificate of an upstream is not verified."),
        LintRule("W010", "limit.never-refuses", "warning", "Another limit always refuses before this one does."),
        LintRule("W012", "redis.missing", "info", "Without Redis, each node counts limits by itself."),
        LintRule(
            "W014", "route.open-around-keyed", "warning", "A route without a key surrounds routes that ask for one."
        ),
        LintRule("W015", "route.open-beside-keyed", "warning", "A route without a key is a way around one with a key."),
        LintRule("W020", "idempotency.in-memory", "warning", "Without Redis a restart forgets replies to keys."),
    )
}
"""All rules by their ids."""


def rule_named(name: str) -> LintRule | None:
    """Return the rule with this id (without regard to case) or name."""
    by_id = RULES.get(name.upper())
    return by_id or next((rule for rule in RULES.values() if rule.name == name.lower()), None)


def is_accepted(rule: str, line: str) -> bool:
    """Return whether a comment in `line` accepts what the rule with this id finds there."""
    comment = _COMMENT.search(line)
    return comment is not None and any(
        named.id == rule for name in comment[1].split(",") if (named := rule_named(name)) is not None
    )
