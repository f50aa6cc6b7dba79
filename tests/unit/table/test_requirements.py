"""table/requirements.py: which of two routes asks for more."""

from ipaddress import ip_network

from gateway.kernel.addresses import address_rules
from gateway.kernel.limits.token_bucket import Window
from gateway.table.limits import Tariff
from gateway.table.requirements import Demand
from tests.samples import MINUTE, route

KEYED = route()
OPEN = route(open=True, open_plan="anonymous", open_windows=(MINUTE,))


def tariff(cost: int = 1, *windows: Window, method: str = "GET") -> Tariff:
    return Tariff({method: cost}, {method: windows})


def exceeds(one: object, other: object, method: str = "GET") -> bool:
    return Demand(one).exceeds(Demand(other), method)  # type: ignore[arg-type]  # routes, both


def test_a_key_is_more_than_no_key_and_no_more_than_a_key() -> None:
    assert exceeds(KEYED, OPEN)
    assert not exceeds(OPEN, KEYED)
    assert not exceeds(KEYED, route())


def test_the_limits_of_another_plan_are_more_if_there_are_any() -> None:
    strict, unlimited = (
        route(open=True, open_plan=plan, open_windows=windows)
        for plan, windows in (("strict", (MINUTE,)), ("free", ()))
    )
    shadow = route(open=True, open_plan="soon", open_windows=(Window("w", 1, 1_000_000, None, shadow=True),))
    assert exceeds(strict, OPEN)
    assert exceeds(OPEN, strict)
    assert not exceeds(unlimited, OPEN)
    assert not exceeds(shadow, OPEN)
    assert exceeds(OPEN, unlimited)


def test_costs_and_limits_count_by_method() -> None:
    window = Window("route/a/w", 1, 1_000_000, None)
    dear, limited = route(tariff=tariff(5)), route(tariff=tariff(1, window))
    shadowed = route(tariff=tariff(1, Window("route/a/w", 1, 1_000_000, None, shadow=True)))
    free = route(tariff=tariff(0))
    assert exceeds(dear, KEYED)
    assert not exceeds(dear, KEYED, "POST")
    assert exceeds(limited, dear)
    assert exceeds(dear, limited)
    assert not exceeds(shadowed, KEYED)
    assert not exceeds(limited, limited)
    assert exceeds(KEYED, free)
    assert not exceeds(free, KEYED)


def test_a_method_that_is_not_served_counts_as_each_that_is() -> None:
    posts = route(methods=("POST",), tariff=tariff(5, method="POST"))
    assert exceeds(posts, KEYED, "GET")
    assert Demand(posts).may_exceed(Demand(KEYED))
    assert not Demand(KEYED).may_exceed(Demand(posts))


def test_demands_that_are_alike_are_equal() -> None:
    assert (
        len(
            {Demand(KEYED), Demand(route(id="other")), Demand(route(tariff=tariff(2))), Demand(route(tariff=tariff(2)))}
        )
        == 2
    )
    assert Demand(KEYED) != KEYED


def test_a_route_for_some_addresses_asks_for_more_than_one_for_all() -> None:
    inside, elsewhere = (
        route(addresses=address_rules((ip_network(each),), ())) for each in ("10.0.0.0/8", "192.0.2.0/24")
    )
    assert exceeds(inside, KEYED)
    assert exceeds(inside, elsewhere)
    assert not exceeds(KEYED, inside)
    assert not exceeds(inside, inside)
