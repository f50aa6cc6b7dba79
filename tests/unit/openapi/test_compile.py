"""What the routes of a configuration want of documents, and everything that is wrong with it."""

import sys
from pathlib import Path

import pytest

from gateway.openapi.compile import Contracts, compile_contracts, unchecked
from gateway.openapi.model import Audience
from gateway.settings import Config, ConfigError, load
from tests.contract_documents import ROUTE, contract, loaded


def problems(folder: Path, *requests: str, **files: str) -> list[str]:
    """`file:line:column: path: text; hint` of everything that is wrong."""
    routes = [
        (ROUTE % request).replace("id: all", f"id: r{number}").replace("/v1/pets", f"/v1/pets{number}")
        for number, request in enumerate(requests)
    ]
    with pytest.raises(ConfigError) as caught:
        loaded(folder, *routes, **files)
    return [
        str(each).replace(f"{folder}/", "").replace(" error: ", " ").replace("gateway.yaml:", "")
        for each in caught.value.problems
    ]


def test_contracts_by_route(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        ROUTE % "{openapi: pets.yaml, operation: createPet, mode: shadow, max_body: 2KiB}",
        "{id: other, upstream: pets, match: {prefix: /x}}",
    )
    (made,) = compile_contracts(config).requests.values()
    assert (made.methods, made.shadow, made.max_body_bytes) == (frozenset({"POST"}), True, 2048)
    assert list(made.bodies) == ["application/json", "application/x-www-form-urlencoded"]
    assert contract(tmp_path, "{openapi: pets.yaml, operation: listPets}").reads_query
    assert contract(tmp_path, "{openapi: pets.yaml, operation: createPet, unknown_query: refuse}").reads_query


def test_bodies_and_paths(tmp_path: Path) -> None:
    (closed,) = compile_contracts(
        loaded(tmp_path, ROUTE % "{openapi: pets.yaml, operation: createPet, unknown_fields: refuse}")
    ).requests.values()
    form = closed.bodies["application/x-www-form-urlencoded"]
    assert [each.name for each in form.decoders] == ["name", "kind", "born", "weight", "tags", "mother"]
    pet = {"name": "Rex", "kind": "dog"}
    assert closed.without_body.is_valid({"body": {}})
    assert [form.validator.is_valid({"body": body}) for body in (pet, pet | {"x": 1})] == [True, False]
    get = "{id: %s, upstream: pets, match: {%s, methods: [GET]}, request: {openapi: pets.yaml, operation: getPet}}"
    config = loaded(tmp_path, get % ("by-path", "path: '/v1/{petId}/x'"), get % ("by-prefix", "prefix: /v2"))
    made = compile_contracts(config).requests
    assert [(index, each.name) for index, each in made["by-path"].segments] == [(2, "petId")]
    assert made["by-prefix"].segments == ()
    by_schema = contract(tmp_path, "{schema: s.yaml, unknown_fields: refuse}", s="{properties: {a: {}}}")
    assert [by_schema.without_body.is_valid({"body": body}) for body in ({"a": 1}, {"b": 1})] == [True, False]


def test_replies_by_route(tmp_path: Path) -> None:
    route = "{id: %s, upstream: pets, match: {path: /%s, methods: [GET]}, response: {openapi: %s, operation: get}}"
    document = "openapi: 3.1.0\npaths: {/: {get: {operationId: get, responses: {200: {description: x}}}}}"
    config = loaded(tmp_path, route % ("a", "a", "d.yaml"), "{id: b, upstream: pets, match: {path: /b}}", d=document)
    assert list(compile_contracts(config).replies) == ["a"]
    (tmp_path / "d.yaml").write_text(document.replace("responses", "x-responses"))
    with pytest.raises(ConfigError, match="describes no replies of `get`"):
        compile_contracts(config)
    (tmp_path / "d.yaml").write_text(
        document.replace("description: x", "content: {a/json: {schema: {not: {$ref: '#/x'}}}}")
        + "\nx: {not: {$ref: '#/x'}}"
    )
    with pytest.raises(ConfigError, match="`x` leads back to itself"):
        compile_contracts(config)
    (tmp_path / "d.yaml").unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        compile_contracts(config)


def test_problems(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "{openapi: pets.yaml, operation: createPets}",
        "{openapi: pets.yaml, operation: deletePet}",
        "{openapi: broken.yaml, operation: a}",
        "{openapi: broken.yaml, operation: b}",
        "{openapi: pattern.yaml, operation: post}",
        "{schema: schema.yaml}",
        "{schema: fine.yaml, unknown_query: refuse}",
        broken="openapi: 3.1.0",
        pattern="openapi: 3.1.0\npaths: {/: {post: {requestBody: {content: {a/json: {schema: {pattern: '(?=a)'}}}}}}}",
        schema="{type: wrong}",
        fine="{}",
    )
    assert found == [
        "4:119: routes[0].request.operation: `pets.yaml` has no operation `createPets`; did you mean `createPet`?",
        "5:119: routes[1].request.operation: `deletePet` is for DELETE, which is no method of this route",
        "10:87: routes[6].request: `unknown_query` goes with `openapi`; a `schema` is about the body only",
        "broken.yaml:1:1: there is no operation in this document; they stand under `paths`",
        "pattern.yaml:2:71: the regular expression `(?=a)` cannot be matched without backtracking, or is none",
        "schema.yaml:1:8: type: `wrong` is not a type of JSON; one of array, boolean, integer, null, number, object, string",
    ]


def test_schemas_that_cannot_be_compiled(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "{schema: a.yaml}", a="{minimum: x}")
    assert "has a schema that cannot be used: " in found
    assert found.startswith("4:87: routes[0].request: ")


def test_schemas_without_an_end(tmp_path: Path) -> None:
    document = """
        openapi: 3.1.0
        paths: {/: {post: {operationId: post, requestBody: {content: {a/json: {schema: {$ref: "#/x"}}}}}}}
        x: {allOf: [{$ref: "#/x"}]}
    """
    schema = '{$defs: {x: {allOf: [{$ref: "#/$defs/x"}]}}, $ref: "#/$defs/x"}'
    found = problems(tmp_path, "{schema: a.yaml}", "{openapi: b.yaml, operation: post}", a=schema, b=document)
    end = "has a schema that cannot be used: `x` leads back to itself without going into a value"
    assert found == [f"4:87: routes[0].request: `a.yaml` {end}", f"5:87: routes[1].request: `b.yaml` {end}"]


def test_documents_that_changed_since_they_were_checked(tmp_path: Path) -> None:
    config = loaded(tmp_path, ROUTE % "{openapi: d.yaml, operation: post}", d="openapi: 3.1.0\npaths: {/: {post: {}}}")
    assert compile_contracts(config).requests["all"].bodies == {}
    (tmp_path / "d.yaml").write_text("openapi: 3.1.0\npaths: {/: {post: {operationId: other}}}")
    with pytest.raises(ConfigError, match="has no operation `post`"):
        compile_contracts(config)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config: Config = loaded(tmp_path, ROUTE % "{openapi: pets.yaml, operation: createPet}")
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(ConfigError, match=r"install the extra: `pip install 'api-gateway\[openapi\]'`"):
        compile_contracts(config)
    (found,) = problems(tmp_path, "{openapi: pets.yaml, operation: createPet}")
    assert found.endswith("is not installed; install the extra: `pip install 'api-gateway[openapi]'`")


async def test_the_document_that_is_served_is_made_with_those_of_services(tmp_path: Path) -> None:
    config = loaded(tmp_path, ROUTE % "{openapi: pets.yaml, operation: createPet}")
    assert compile_contracts(config).document is None
    assert unchecked(config) == Contracts({}, None)
    (tmp_path / "gateway.yaml").write_text(
        (tmp_path / "gateway.yaml").read_text() + "server: {openapi_path: /api.json}\n"
    )
    served = load(tmp_path / "gateway.yaml", {})
    for contracts, summaries in ((compile_contracts(served), 1), (unchecked(served), 0)):
        assert contracts.document is not None
        shown = (await contracts.document.of(Audience("standard", keyed=True), "json")).body
        assert shown.count(b'"Add a pet."') == summaries
