"""openapi/publish/path_items.py: every method of a path once, whatever the routes."""

from typing import Any

from gateway.openapi.model import EVERYBODY, Audience
from gateway.openapi.publish.path_items import path_items
from gateway.settings.schema.routing import RouteSettings


def route(name: str, **match: Any) -> RouteSettings:
    methods = match.pop("methods", ["GET"])
    return RouteSettings.model_validate({"id": name, "match": {"methods": methods, **match}, "upstream": "u"})


def shown(*routes: RouteSettings, audience: Audience = EVERYBODY) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for item in path_items(routes, audience):
        found.setdefault(item.template, {})[item.method] = item.route.id
    return found


def test_paths_are_templates() -> None:
    assert shown(
        route("a", path="/a/{id}", methods=["GET", "POST"]),
        route("b", path="/b/{rest*}"),
        route("c", prefix="/c"),
        route("d", path="/"),
        route("e", prefix="/", methods=["DELETE"]),
    ) == {
        "/": {"GET": "d"},
        "/a/{id}": {"GET": "a", "POST": "a"},
        "/b/{rest}": {"GET": "b"},
        "/c/{rest}": {"GET": "c"},
        "/{rest}": {"DELETE": "e"},
    }


def test_names_of_parameters_are_those_of_the_first_route() -> None:
    items = path_items([route("a", path="/a/{id}/{x}"), route("b", path="/a/{other}/{y}", methods=["POST"])], EVERYBODY)
    assert [(each.template, each.route.id, each.names) for each in items] == [
        ("/a/{id}/{x}", "a", {"id": "id", "x": "x"}),
        ("/a/{id}/{x}", "b", {"other": "id", "y": "x"}),
    ]


def test_what_takes_any_depth_goes_on_below_what_takes_one() -> None:
    items = path_items([route("all", prefix="/a", methods=["GET", "PUT"]), route("one", path="/a/{id}")], EVERYBODY)
    assert [(each.template, each.method, each.route.id, each.depth) for each in items] == [
        ("/a/{id}", "GET", "one", 0),
        ("/a/{id}", "PUT", "all", 0),
        ("/a/{rest2}/{rest}", "GET", "all", 1),
        ("/a/{rest2}/{rest}", "PUT", "all", 1),
    ]
    assert items[1].names == {"rest": "id"}


HOSTED = (
    route("any", path="/a"),
    route("wide", path="/a", host="*.example.com"),
    route("exact", path="/a", host="api.example.com"),
    route("inner", path="/a", listener="inner"),
    route("second", path="/a", headers={"X-Version": "2"}),
)


def test_of_several_for_one_path_the_plainest_is_shown() -> None:
    (item,) = path_items(HOSTED, EVERYBODY)
    assert item.route.id == "any"
    assert [each.id for each in item.rivals] == ["second", "inner", "wide", "exact"]


def test_at_a_host_its_own_is_shown() -> None:
    at_both = EVERYBODY._replace(hosts=frozenset({"*.example.com", "api.example.com"}))
    assert shown(*HOSTED, audience=at_both) == {"/a": {"GET": "exact"}}
    assert shown(*HOSTED, audience=EVERYBODY._replace(hosts=frozenset({"*.example.com"}))) == {"/a": {"GET": "wide"}}
    inside = EVERYBODY._replace(listener="inner", hidden=frozenset({"any", "second"}))
    assert shown(*HOSTED, audience=inside) == {"/a": {"GET": "inner"}}
    assert shown(*HOSTED, audience=Audience("free")) == {}
