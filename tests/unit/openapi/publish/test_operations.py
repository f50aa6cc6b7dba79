"""openapi/publish/operations.py: operations of routes, with what documents of services say about them."""

from typing import Any

from gateway.kernel.faults import CATALOGUE
from gateway.openapi.load import load_document, load_schema
from gateway.openapi.model import EVERYBODY, Audience
from gateway.openapi.publish.components import Components
from gateway.openapi.publish.operations import OperationMaker, organization_parameter
from gateway.openapi.publish.path_items import path_items
from gateway.openapi.publish.possible_errors import PossibleErrors
from gateway.openapi.publish.replies import Replies
from gateway.settings import parse
from tests.contract_documents import DOCUMENTS

PETS, _ = load_document(str(DOCUMENTS.resolve() / "pets.yaml"))
WEATHER, _ = load_document(str(DOCUMENTS.resolve() / "apis" / "weather.yaml"))
SCHEMA = load_schema(str(DOCUMENTS.resolve() / "pet.schema.json"))
ORGANIZATION = {"$ref": "#/components/parameters/organization"}


def request(operation: str) -> str:
    return f"request: {{openapi: pets.yaml, operation: {operation}}}"


def operations(routes: str, audience: Audience = EVERYBODY, rest: str = "") -> dict[str, Any]:
    """Operations by their ids."""
    config = parse(
        'version: 1\nupstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]\n' + f"routes: [{routes}]\n{rest}"
    )
    components = Components()
    documents = {"pets.yaml": PETS, "weather.yaml": WEATHER, "pet.schema.json": SCHEMA}
    replies, errors = Replies(config, components.schema, ()), PossibleErrors(config, CATALOGUE, audience)
    maker = OperationMaker(config, documents.get, audience, components, replies, errors)
    made = [maker.make(item) for item in path_items(config.routes, audience)]
    return {each["operationId"]: each for each in made}


def test_without_a_document() -> None:
    made = operations('{id: a, upstream: u, match: {path: "/a/{id}", methods: [GET, POST]}, auth: none}')
    assert set(made) == {"a-get", "a-post"}
    assert made["a-get"]["parameters"] == [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    assert made["a-get"]["security"] == []
    assert "requestBody" not in made["a-post"]
    assert operations("{id: a, upstream: u, match: {path: /a, methods: [GET]}}")["a"]["parameters"] == [ORGANIZATION]
    deep = operations(
        '{id: a, upstream: u, match: {prefix: /a, methods: [GET]}}, {id: b, upstream: u, match: {path: "/a/{id}", methods: [GET]}}'
    )
    assert set(deep) == {"a-2", "b"}


def test_what_the_document_says() -> None:
    made = operations(
        f"{{id: list, upstream: u, match: {{path: /a, methods: [GET, POST]}}, {request('listPets')}}}, "
        f"{{id: create, upstream: u, match: {{path: /b, methods: [POST]}}, {request('createPet')}, "
        "limits: [{id: a, max: 2, per: 1m}, {id: s, max: 1, per: 1s, shadow: true}]}, "
        f'{{id: remove, upstream: u, match: {{path: "/c/{{petId}}", methods: [DELETE]}}, {request("deletePet")}}}, '
        f'{{id: renamed, upstream: u, match: {{path: "/d/{{id}}", methods: [GET]}}, auth: none, {request("getPet")}}}'
    )
    listed = {each["name"]: each for each in made["list-get"]["parameters"][1:]}
    assert (listed["limit"]["in"], listed["limit"]["required"], listed["limit"]["style"]) == ("query", False, "form")
    assert listed["limit"]["description"] == "How many at most."
    assert (listed["filter"]["style"], listed["kinds"]["explode"]) == ("deepObject", False)
    assert made["list-post"]["parameters"] == [ORGANIZATION]
    created = made["create"]
    assert (created["summary"], created["tags"], created["requestBody"]["required"]) == ("Add a pet.", ["pets"], True)
    assert created["requestBody"]["content"]["application/json"]["example"] == {"name": "Rex", "kind": "dog"}
    assert created["x-rate-limit"] == [{"id": "a", "max": 2, "per": "1m"}]
    assert made["remove"]["deprecated"]
    assert [each.get("name") for each in made["remove"]["parameters"]] == [None, "petId"]
    assert [each["name"] for each in made["renamed"]["parameters"]] == ["id"]
    assert operations("{id: a, upstream: u, match: {path: /a, methods: [GET]}, request: {openapi: x, operation: y}}")
    replies = (
        "{id: a, upstream: u, match: {path: /a, methods: [POST]}, response: {openapi: pets.yaml, operation: createPet}}"
    )
    assert operations(replies)["a"]["summary"] == "Add a pet."
    unknown = f"{{id: a, upstream: u, match: {{path: /a, methods: [GET]}}, {request('nothing')}}}"
    assert "summary" not in operations(unknown)["a"]


def test_every_kind_of_parameter() -> None:
    route = "{id: a, upstream: u, match: {path: /a, methods: [GET]}, auth: none, request: {openapi: weather.yaml, operation: get-weather}}"
    found = {each["name"]: each for each in operations(route)["a"]["parameters"]}
    assert "application/json" in found["at"]["content"]
    assert "schema" not in found["at"]
    assert (found["units"]["deprecated"], found["q"]["example"]) == (True, "London,gb")
    assert (found["kinds"]["style"], found["kinds"]["explode"]) == ("spaceDelimited", False)


def test_a_schema_of_the_body() -> None:
    schema = "request: {schema: pet.schema.json}"
    made = operations(f"{{id: a, upstream: u, match: {{path: /a, methods: [GET, PUT]}}, {schema}}}")
    assert made["a-put"]["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": SCHEMA.root}},
    }
    assert "requestBody" not in made["a-get"]
    missing = operations("{id: a, upstream: u, match: {path: /a, methods: [PUT]}, request: {schema: missing.json}}")
    assert "requestBody" not in missing["a"]


def test_parameters_of_the_gateway() -> None:
    made = operations(
        '{id: a, upstream: u, match: {path: /a, methods: [POST], headers: {X-Version: "2"}}, idempotency: {header: X-Once}}',
    )["a"]["parameters"]
    assert made[1] == {
        "name": "X-Version",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "enum": ["2"]},
    }
    assert (made[2]["name"], made[2]["required"], made[2]["schema"]["maxLength"]) == ("X-Once", False, 255)


def test_what_the_gateway_has_itself_is_not_there_twice() -> None:
    route = (
        "{id: a, upstream: u, match: {path: /a, methods: [GET]}, request: {openapi: pets.yaml, operation: listPets}}"
    )
    names = [each.get("name") for each in operations(route)["a"]["parameters"]]
    assert {"X-Trace", "limit"} <= set(names)
    names = [
        each.get("name")
        for each in operations(route, rest="auth: {organization_header: X-Trace, key: {query: limit}}\n")["a"][
            "parameters"
        ]
    ]
    assert not {"X-Trace", "limit"} & set(names)


def test_other_hosts_are_servers() -> None:
    routes = '{id: exact, upstream: u, match: {path: /a, methods: [GET], host: api.example.com}}, {id: wide, upstream: u, match: {path: /b, methods: [GET], host: "*.example.com"}}'
    made = operations(routes)
    assert made["exact"]["servers"] == [{"url": "http://api.example.com/"}]
    assert made["wide"]["servers"] == [{"url": "http://{name}.example.com/", "variables": {"name": {"default": "www"}}}]
    here = operations(routes, EVERYBODY._replace(hosts=frozenset({"*.example.com"})))
    assert ("servers" in here["wide"], "servers" in here["exact"]) == (False, True)
    behind = 'server: {listeners: [{address: "127.0.0.1:1", trusted_proxies: [10.0.0.0/8]}]}\n'
    assert operations(routes, rest=behind)["exact"]["servers"] == [{"url": "https://api.example.com/"}]


def test_routes_that_are_not_shown_are_named() -> None:
    made = operations(
        "{id: a, upstream: u, match: {path: /a, methods: [GET]}}, "
        '{id: b, upstream: u, match: {path: /a, methods: [GET], headers: {X-Version: "2"}}}, '
        "{id: c, upstream: u, match: {path: /a, methods: [GET], host: api.example.com, listener: public}}, "
        '{id: d, upstream: u, match: {path: "/a", methods: [GET], host: "*.example.com"}}',
        rest='server: {listeners: [{id: public, address: "127.0.0.1:1"}]}\n',
    )
    assert made["a"]["description"].split("\n\n") == [
        "With `X-Version: 2` this is `b`.",
        "With the host *.example.com this is `d`.",
        "With the host api.example.com and the listener public this is `c`.",
    ]


def test_the_parameter_of_the_organisation() -> None:
    config = parse(
        'version: 1\nupstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]\n'
        "routes: [{id: a, upstream: u, match: {path: /a}}]\nauth: {organization_header: X-Org}\n"
    )
    assert organization_parameter(config)["name"] == "X-Org"
