"""settings/schema/quotas.py: quotas, their amounts, and concurrency."""

import pytest
from pydantic import ValidationError

from gateway.settings.schema.quotas import AmountSettings, Calls, Concurrency, Quota, way
from gateway.settings.schema.values import RefusedError

COUNT = {"id": "calls", "code": 8001, "kind": "count", "max": 10, "charge": [{"routes": ["a"]}]}


def test_calls_include_routes_by_pattern_and_head_with_get() -> None:
    calls = Calls.model_validate({"routes": ["orders.*"], "methods": ["GET"]})
    assert [calls.includes("orders.item", method) for method in ("GET", "HEAD", "POST")] == [True, True, False]
    assert not calls.includes("status", "GET")
    assert Calls.model_validate({"routes": ["*"]}).includes("status", "POST")


def test_a_unit_of_a_level_lasts_a_day_unless_it_says_otherwise() -> None:
    assert Quota.model_validate(COUNT).lasts_s == 86_400
    assert Quota.model_validate(COUNT | {"kind": "level", "expires": "1m"}).lasts_s == 60


@pytest.mark.parametrize("wrong", [{"kind": "sum"}, {"kind": "level", "max": 10**6}, {"release": [{"routes": ["a"]}]}])
def test_quotas_that_do_not_fit_their_kind(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Quota.model_validate(COUNT | wrong)


@pytest.mark.parametrize("wrong", [{}, {"header": "X-A", "field": "a.b"}])
def test_an_amount_stands_in_one_place(wrong: dict[str, object]) -> None:
    assert AmountSettings.model_validate({"header": "X-Bytes"}).field is None
    with pytest.raises(ValidationError):
        AmountSettings.model_validate(wrong)


def test_concurrency_limits_something() -> None:
    assert Concurrency.model_validate({"key": 1}).key == 1
    with pytest.raises(ValidationError):
        Concurrency.model_validate({})


def test_a_way_into_json_has_names_with_dots_between_them() -> None:
    assert way("result.bytes") == "result.bytes"
    with pytest.raises(RefusedError):
        way("result..bytes")
