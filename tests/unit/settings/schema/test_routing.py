"""settings/schema/routing.py: routes, their matches, and rules for header fields."""

import pytest
from pydantic import ValidationError

from gateway.settings.schema.routing import HeaderRules, Match, RouteSettings

ROUTE = {"id": "a", "match": {"path": "/a"}, "upstream": "u"}


def test_head_comes_with_get() -> None:
    assert Match.model_validate({"path": "/a", "methods": ["GET", "PUT"]}).served == ("GET", "PUT", "HEAD")
    assert Match.model_validate({"path": "/a", "methods": ["PUT"]}).served == ("PUT",)


@pytest.mark.parametrize("wrong", [{}, {"path": "/a", "prefix": "/a"}])
def test_a_match_has_a_path_or_a_prefix(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Match.model_validate(wrong)


@pytest.mark.parametrize(
    "wrong", [{"set": {"Connection": "x"}}, {"set": {"X-A": "1", "x-a": "2"}}, {"remove": ["X-A", "x-a"]}]
)
def test_rules_that_contradict_themselves(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HeaderRules.model_validate(wrong)


def test_rules_of_a_route_come_over_those_that_it_inherits() -> None:
    own = HeaderRules.model_validate({"set": {"X-A": "1"}, "remove": ["X-Internal-*"]})
    inherited = HeaderRules.model_validate(
        {"set": {"x-a": "0", "X-Internal-B": "0", "X-C": "0"}, "remove": ["X-D", "x-internal-*"]}
    )
    merged = own.over(inherited)
    assert merged.set == {"X-C": "0", "X-A": "1"}
    assert merged.remove == ("X-D", "X-Internal-*")


def test_head_costs_what_get_does_unless_it_is_named() -> None:
    route = RouteSettings.model_validate(ROUTE | {"cost": {"GET": 3, "POST": 5}})
    assert [route.cost_of(method) for method in ("GET", "HEAD", "POST", "PUT")] == [3, 3, 5, 1]
    assert RouteSettings.model_validate(ROUTE | {"cost": 2}).cost_of("HEAD") == 2


def test_limits_for_get_hold_for_head() -> None:
    limits = [{"id": "a", "max": 1, "per": "1s", "methods": ["GET"]}, {"id": "b", "max": 1, "per": "1m"}]
    route = RouteSettings.model_validate(ROUTE | {"limits": limits})
    assert [[limit.id for limit in route.limits_of(method)] for method in ("GET", "HEAD", "POST")] == [
        ["a", "b"],
        ["a", "b"],
        ["b"],
    ]


def test_a_plan_is_for_routes_without_keys() -> None:
    assert RouteSettings.model_validate(ROUTE | {"auth": "none", "plan": "p"}).plan == "p"
    with pytest.raises(ValidationError):
        RouteSettings.model_validate(ROUTE | {"plan": "p"})
