"""admin/record_filter.py: records are chosen by what operators ask for."""

from functools import partial

import pytest

from gateway.admin.record_filter import FIELDS, RecordFilter

RECORD = {
    "request_id": "6d84e126",
    "code": 8000,
    "status": 429,
    "key_id": "acme-ci",
    "organization": "acme",
    "route": "orders",
    "source": "gateway",
    "reason": "rate_limited",
}


def passes(**parameters: str) -> bool:
    return RecordFilter.parse(parameters).passes(partial(dict.get, RECORD))


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("request_id", "6D84E126", "6d84e127"),
        ("code", "8000", "1004"),
        ("status", "429", "503"),
        ("status", "4XX", "5xx"),
        ("key", "acme-ci", "acme"),
        ("organization", "acme", "acme-ci"),
        ("route", "orders", "order"),
        ("source", "gateway", "upstream"),
        ("reason", "rate_limited", "no_route"),
    ],
)
def test_each_filter_chooses(name: str, right: str, wrong: str) -> None:
    assert passes(**{name: right})
    assert not passes(**{name: wrong})
    assert not RecordFilter.parse({name: right}).passes(partial(dict.get, {}))


def test_filters_hold_together() -> None:
    assert {name for name in FIELDS if name != "request_id"} == {
        "code",
        "status",
        "key",
        "organization",
        "route",
        "source",
        "reason",
    }
    assert passes()
    assert passes(status="429", key="acme-ci")
    assert not passes(status="429", key="other")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "cod",
            "8000",
            "there is no filter `cod`; there are code, key, limit, organization, reason, request_id, route, source, status",
        ),
        ("x" * 900, "1", f"there is no filter `{'x' * 200}`; "),
        ("code", "8000x", "`code` is a number such as 8000"),
        ("code", "1" * 11, "`code` is a number such as 8000"),
        ("status", "600", "`status` is one such as 429, or a class of them such as 5xx"),
        ("status", "5x", "`status` is one such as 429, or a class of them such as 5xx"),
        ("source", "client", "`source` is gateway or upstream: who has made the reply"),
        ("request_id", "a b", "`request_id` is the requestId of a reply"),
        ("key", "", "`key` has 1 to 200 characters"),
        ("route", "r" * 201, "`route` has 1 to 200 characters"),
    ],
)
def test_what_is_not_understood_is_refused(name: str, value: str, text: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the text is compared
        RecordFilter.parse({name: value}, ("limit",))
    assert str(refused.value).startswith(text)
