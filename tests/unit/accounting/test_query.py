"""accounting/query.py: which usage is asked for, in the words of the command line and of the admin listener."""

from datetime import date

import pytest

from gateway.accounting.query import MOST_DAYS, UsageQuery, usage_query

TODAY = date(2026, 11, 15)


@pytest.mark.parametrize(
    ("parameters", "first", "last"),
    [
        ({}, (2026, 11, 1), (2026, 11, 30)),
        ({"month": "2026-12"}, (2026, 12, 1), (2026, 12, 31)),
        ({"month": "2028-02"}, (2028, 2, 1), (2028, 2, 29)),
        ({"from": "2026-10-31"}, (2026, 10, 31), (2026, 11, 15)),
        ({"from": "2026-12-31", "to": "2027-01-01"}, (2026, 12, 31), (2027, 1, 1)),
        ({"from": "2026-11-15", "to": "2026-11-15"}, (2026, 11, 15), (2026, 11, 15)),
    ],
)
def test_a_period(parameters: dict[str, str], first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    query = usage_query(parameters, TODAY)
    assert (query.first, query.last, query.by) == (date(*first), date(*last), ("organization",))
    days = [*query.days]
    assert (days[0], days[-1], len(days)) == (query.first, query.last, (query.last - query.first).days + 1)


def test_groups_and_filters() -> None:
    parameters = {"by": "day,key", "organization": "acme", "key": "", "route": "orders"}
    assert usage_query(parameters, TODAY) == UsageQuery(
        date(2026, 11, 1), date(2026, 11, 30), ("day", "key"), "acme", "", "orders"
    )


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"organisation": "acme"}, "there is no parameter `organisation`; there are by, month"),
        ({"by": "plan"}, "`by` is one or several of day, organization, key, route"),
        ({"by": "key,key"}, "`by` is one or several of"),
        ({"by": ""}, "`by` is one or several of"),
        ({"month": "2026-11", "to": "2026-11-30"}, "either `month`, or `from` and `to`"),
        ({"month": "2026-13"}, "`month` is written like 2026-11"),
        ({"month": "November"}, "`month` is written like 2026-11"),
        ({"from": "2026-11-31"}, "`from` is written like 2026-11-01"),
        ({"from": "2026-11"}, "`from` is written like"),
        ({"from": "9" * 5000 + "-01-01"}, "`from` is written like"),
        ({"from": "2026-11-01", "to": "1.12.2026"}, "`to` is written like 2026-11-30"),
        ({"to": "2026-11-30"}, "`to` needs a `from`"),
        ({"from": "2026-11-16"}, "the period ends before it begins"),
        ({"from": "0001-01-01"}, f"a period has {MOST_DAYS} days at most"),
    ],
)
def test_what_cannot_be_answered_is_explained(parameters: dict[str, str], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        usage_query(parameters, TODAY)


def test_a_period_may_be_bounded() -> None:
    assert len([*usage_query({"month": "2026-12"}, TODAY, 31).days]) == 31
    with pytest.raises(ValueError, match="31 days at most"):
        usage_query({"from": "2026-12-01", "to": "2027-01-01"}, TODAY, 31)
