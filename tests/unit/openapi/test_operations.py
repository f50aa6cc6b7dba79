"""Operations of OpenAPI 3.0 and 3.1."""

from pathlib import Path

import pytest

from gateway.openapi.load import load_document
from gateway.openapi.model import ApiDocument
from gateway.settings import ConfigError

DOCUMENTS = Path("tests/documents")


def loaded(text: str) -> ApiDocument:
    return load_document("-", text.encode())[0]


def test_an_operation() -> None:
    document, _ = load_document(str(DOCUMENTS / "pets.yaml"))
    listed, created = document.operations["listPets"], document.operations["createPet"]
    assert (listed.method, listed.base, listed.path, listed.tags) == ("GET", "/api", "/pets", ("pets",))
    assert [(each.name, each.location, each.style, each.explode) for each in listed.parameters] == [
        ("limit", "query", "form", True),
        ("tag", "query", "form", True),
        ("kinds", "query", "form", False),
        ("filter", "query", "deep", False),
        ("X-Trace", "header", "simple", False),
    ]
    assert created.rate_limit == {"max": 10, "per": "1m"}
    assert created.body is not None
    assert created.body.required
    assert created.body.content["application/json"].examples == ({"name": "Rex", "kind": "dog"},)
    assert not created.open
    assert document.operations["getPet"].open
    assert document.operations["deletePet"].deprecated
    (pet_id,) = document.operations["deletePet"].parameters
    assert (pet_id.name, pet_id.required, pet_id.schema) == ("petId", True, {"type": "integer", "minimum": 1})


def test_responses_by_status() -> None:
    created = load_document(str(DOCUMENTS / "pets.yaml"))[0].operations["createPet"]
    found = created.response(201)
    assert found is not None
    assert found.content["application/json"].examples == ({"id": 7, "name": "Rex", "kind": "dog"},)
    assert created.response(422) is created.responses["4XX"]
    assert created.response(500) is None


def test_servers_ids_and_references_in_3_0() -> None:
    document, _ = load_document(str(DOCUMENTS / "older.yaml"))
    listed = document.operations["get"]
    assert listed.base == "/live/orders"
    assert not listed.open
    since, page = listed.parameters
    assert (since.style, page.name, page.schema) == ("json", "page", {"type": "integer", "maximum": 9})
    posted = document.operations["post"]
    assert posted.body is not None
    assert posted.body.content["application/json"].schema == {"$ref": "#/$defs/Order"}


def test_names_that_are_made() -> None:
    document = loaded('openapi: 3.1.0\npaths: {"/a/{b}": {get: {}}, /a/b: {get: {}}, x-a: {}}')
    assert list(document.operations) == ["get-a-b", "get-a-b-2"]


def test_what_is_described_elsewhere_or_malformed() -> None:
    document = loaded("""
openapi: 3.1.0
servers: [{url: "http://[/x"}, {}]
paths:
  /a:
    servers: [{url: /v2/}]
    get:
      security: [{}, {key: []}]
      parameters: [{name: Accept, in: header}, {name: q, in: query}, {name: c, in: query, content: {text/plain: {}}}]
      responses: {x-a: {}, "200": {headers: {A: {required: true}}, content: {text/plain: {}}}}
""")
    (operation,) = document.operations.values()
    assert operation.open
    assert operation.base == "/v2"
    assert [(each.name, each.schema, each.style) for each in operation.parameters] == [
        ("q", True, "form"),
        ("c", True, "json"),
    ]
    (response,) = operation.responses.values()
    assert response.fields["A"].required
    assert response.content["text/plain"].schema is True


def test_operations_in_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text("openapi: 3.0.0\npaths: {/a: {get: {$ref: one.yaml}, post: {$ref: none.yaml#/x}}}")
    (tmp_path / "one.yaml").write_text("operationId: one\nparameters: [{name: q, in: query}]")
    (tmp_path / "none.yaml").write_text("x: {operationId: two}")
    document, _ = load_document(str(tmp_path / "d.yaml"))
    assert [(each.id, each.method, len(each.parameters)) for each in document.operations.values()] == [
        ("one", "GET", 1),
        ("two", "POST", 0),
    ]


def test_many_operations_without_ids() -> None:
    document = loaded('openapi: 3.1.0\npaths: {"/a/{b}": {get: {}}, /a/b: {get: {}}, "/a/b/": {get: {}}}')
    assert list(document.operations) == ["get-a-b", "get-a-b-2", "get-a-b-3"]


def test_servers_that_are_none() -> None:
    with pytest.raises(ConfigError, match="the `url` of this server is not a URL"):
        loaded('openapi: 3.1.0\nservers: [{url: "http://[/x"}]\npaths: {/a: {get: {}}}')
    with pytest.raises(ConfigError, match="refers to nothing"):
        loaded(
            "openapi: 3.1.0\npaths: {/a: {get: {responses: {'200': {$ref: '#/none'}, '201': {headers: {A: {$ref: '#/none'}}, "
            "content: {a/b: {examples: {x: {$ref: '#/none'}}}}}}}}, /b: {$ref: '#/none'}}"
        )


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        ("{a: {get: {}}}", "a path begins with `/`"),
        ("{/a: {get: [1]}}", "an operation is wanted here, which is a mapping"),
        ("{/a: {get: {operationId: x}, put: {operationId: x}}}", "`x` is the id of another operation, in -:2"),
        ("{/a: {get: {responses: {OK: {}}}}}", "`OK` is no status"),
        ("{/a: {get: {parameters: [{name: q}]}}}", "a parameter has a `name`, and `in`"),
    ],
)
def test_what_is_no_operation_is_reported(paths: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(f"openapi: 3.1.0\npaths: {paths}")
    assert any(each.text.startswith(text) for each in caught.value.problems)
