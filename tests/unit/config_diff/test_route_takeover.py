import pytest

from gateway.config_diff.inventory import Item
from gateway.config_diff.route_takeover import covers, route_taking_over


@pytest.mark.parametrize(
    ("general", "special", "all_of_it"),
    [
        ("/a", "/a", True),
        ("/a", "/b", False),
        ("/a", "/a/b", False),
        ("/a/b", "/a", False),
        ("/a/{id}", "/a/b", True),
        ("/a/b", "/a/{id}", False),
        ("/a/{id}", "/a/{name}", True),
        ("/a/**", "/a", True),
        ("/a/**", "/a/b/c", True),
        ("/a/**", "/a/b/**", True),
        ("/a/b/**", "/a/**", False),
        ("/a/{id}", "/a/**", False),
        ("/a/{rest*}", "/a", False),
        ("/a/{rest*}", "/a/b", True),
        ("/**", "/a/{id}", True),
    ],
)
def test_one_stands_for_all_that_another_does(general: str, special: str, *, all_of_it: bool) -> None:
    assert covers(general, special) is all_of_it


def route(path: str, *methods: str) -> Item:
    return Item("route", path, {"path": path, "match.methods": [*methods]})


def test_the_most_specific_one_with_one_of_the_methods_takes_the_calls() -> None:
    others = [
        route("/**", "GET", "PUT"),
        route("/a/**", "GET"),
        route("/{x}/b", "GET"),
        route("/a/{x}", "PUT"),
        route("/b", "GET"),
    ]
    assert route_taking_over(route("/a/b", "GET"), others) is others[1]
    assert route_taking_over(route("/a/b", "GET", "PUT"), others) is others[3]
    assert route_taking_over(route("/c", "PUT"), others) is others[0]
    assert route_taking_over(route("/c", "POST"), others) is None


def test_a_route_for_another_host_takes_nothing_over() -> None:
    def item(name: str, **conditions: str | None) -> Item:
        aspects = {"path": "/a/**", "match.methods": ["GET"], "match.host": None, **conditions}
        return Item("route", name, aspects)

    hosted, alike = item("hosted", **{"match.host": "a.example"}), item("alike")
    versioned = item("versioned", **{"match.headers.X-Version": "2"})
    assert route_taking_over(item("new"), [hosted, versioned]) is None
    assert route_taking_over(item("new"), [hosted, versioned, alike]) is alike
    assert route_taking_over(item("new", **{"match.host": "a.example"}), [hosted, alike]) is hosted
