"""settings/rules.py: rules are named by id or name, and accepted by comments."""

import re

import pytest

from gateway.settings.rules import RULES, is_accepted, rule_named


def test_ids_and_names_are_unique_and_of_one_form() -> None:
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
    for identity, rule in RULES.items():
        assert rule.id == identity
        assert re.fullmatch(r"W\d{3}", identity)
        assert re.fullmatch(r"[a-z]+\.[a-z-]+", rule.name)


def test_rules_are_found_by_id_and_name() -> None:
    assert rule_named("w014") is rule_named("route.open-around-keyed") is RULES["W014"]
    assert rule_named("nothing") is None


@pytest.mark.parametrize(
    ("line", "accepted"),
    [
        ("a: b # check: ignore W014", True),
        ("a: b #check: ignore W001,route.open-around-keyed", True),
        ("a: b # check: ignore W001", False),
        ("a: b # ignore W014", False),
        ("a: W014", False),
    ],
)
def test_comments_accept_what_they_name(line: str, *, accepted: bool) -> None:
    assert is_accepted("W014", line) is accepted
