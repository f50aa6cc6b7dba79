"""settings/schema/limits.py: limits and costs."""

import pytest
from pydantic import ValidationError

from gateway.settings.schema.limits import KeyLimit, OrganizationLimit, PlanLimit, RouteLimit, cost
from gateway.settings.schema.values import RefusedError

MINUTE = {"id": "minute", "max": 60, "per": "1m"}


def test_each_owner_has_its_scope() -> None:
    scopes = [kind.model_validate(MINUTE).scope for kind in (PlanLimit, KeyLimit, OrganizationLimit, RouteLimit)]
    assert scopes == ["key", "key", "organization", "key"]


@pytest.mark.parametrize("wrong", [{"shadow": True, "on_failure": "deny"}, {"max": 10**9, "per": "1s"}])
def test_limits_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PlanLimit.model_validate(MINUTE | wrong)


def test_a_cost_is_a_number_or_one_by_method() -> None:
    assert cost(3) == {"default": 3}
    assert cost({"GET": 0, "default": 2}) == {"GET": 0, "default": 2}


@pytest.mark.parametrize("wrong", [-1, True, "1", {"GET": None}, {"NOBODY": 1}, 10**10])
def test_what_is_no_cost(wrong: object) -> None:
    with pytest.raises(RefusedError):
        cost(wrong)
