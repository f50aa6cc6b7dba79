"""table/rival_routes.py: which other routes a path leads to."""

import pytest

from gateway.kernel.http.path_patterns import Param
from gateway.table import Route
from gateway.table.rival_routes import Rivals, image_of, pattern_of
from tests.samples import route

ROUTES = [
    route("/", id="all", prefix=True),
    route("/v1", id="v1", prefix=True),
    route("/v1/orders", id="orders", methods=("GET",)),
    route("/v1/Orders", id="Orders", methods=("GET",)),
    route("/v1/orders/{id}", id="order"),
    route("/v1/orders/{id}/lines/", id="lines"),
    route("/files/{rest*}", id="files"),
]
BY_ID = {each.id: each for each in ROUTES}


@pytest.fixture(scope="module")
def rivals() -> Rivals:
    found = Rivals()
    for each in ROUTES:
        found.add(each, pattern_of(each))
    return found


@pytest.mark.parametrize(
    ("taken_by", "method", "path", "expected"),
    [
        ("all", "GET", "/x", {}),
        ("v1", "GET", "/v1/x", {}),
        ("orders", "GET", "/v1/orders", {"Orders": True}),
        ("v1", "GET", "/v1/orders/", {"orders": True, "Orders": True}),
        ("v1", "POST", "/v1/orders", {"orders": False, "Orders": False}),
        ("all", "GET", "/V1/orders/7", {"order": True}),
        ("all", "GET", "/v1%2Forders", {"orders": True, "Orders": True}),
        ("order", "GET", "/v1/orders/a%2Flines", {"lines": True}),
        ("v1", "GET", "/v1/orders/7/lines", {"lines": True}),
        ("all", "GET", "/files", {"files": True}),
        ("files", "GET", "/files/a%2Fb;c", {}),
        ("orders", "GET", "/v1//orders", {"v1": True, "Orders": True}),
        ("v1", "GET", "/v1/orders%3F7/x", {"orders": True, "Orders": True}),
    ],
)
def test_for_each_reading_it_is_who_would_take_it_and_who_lacks_the_method(
    rivals: Rivals, taken_by: str, method: str, path: str, expected: dict[str, bool]
) -> None:
    found = rivals.of(BY_ID[taken_by], method, path)
    assert found is not None
    assert {each.route.id: each.serves for each in found if each.route.id != "all"} == expected


def test_without_ties_whoever_shares_the_position_is_no_rival(rivals: Rivals) -> None:
    assert rivals.of(BY_ID["orders"], "GET", "/v1/orders", ties=False) == []


def test_a_reading_that_leads_nowhere_has_no_rivals() -> None:
    alone, one = Rivals(), route("/files/{id}")
    alone.add(one, pattern_of(one))
    assert alone.of(one, "GET", "/files/a%2Fb") == []


def test_a_path_with_too_many_readings_has_none(rivals: Rivals) -> None:
    assert rivals.of(BY_ID["all"], "GET", "/" + "%2F" * 4000) is None


@pytest.mark.parametrize(
    ("one", "base", "expected"),
    [
        (route("/v1", prefix=True, strip_segments=1), "", ([], True)),
        (route("/v1/orders/{id}", strip_segments=1, base="/api"), "", (["api", "orders", Param("id")], False)),
        (route("/v1/orders", strip_segments=2), "/svc", (["svc"], False)),
        (route("/{rest*}"), "/svc", (["svc"], True)),
        (route("/a", strip_segments=1), "/a;b//%7Bc%zz", (["a;b", "{c%zz"], False)),
    ],
)
def test_what_the_service_gets_of_a_route(one: Route, base: str, expected: tuple[list[object], bool]) -> None:
    assert image_of(one, base) == expected
