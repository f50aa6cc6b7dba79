"""What the documents of routes say about replies, and what is wrong with it."""

from pathlib import Path

import pytest

from gateway.openapi.compile import compile_contracts
from gateway.settings import ConfigError
from tests.contract_documents import loaded

ROUTE = "{id: all, upstream: pets, match: {path: /v1/pets, methods: [GET, POST]}, response: %s}"


def test_what_is_compiled(tmp_path: Path) -> None:
    listed = compile_contracts(loaded(tmp_path, ROUTE % "{openapi: pets.yaml, operation: listPets}")).replies["all"]
    assert (listed.methods, list(listed.replies), listed.adopts) == (
        frozenset({b"GET", b"HEAD"}),
        ["200", "default"],
        True,
    )
    assert listed.names == {"id", "name", "kind", "born", "weight", "tags", "mother", "level", "detail"}
    assert listed.replies["200"].content["application/json"] is not None


def test_only_bodies_that_can_be_compared_have_a_schema(tmp_path: Path) -> None:
    document = """
        openapi: 3.1.0
        paths:
          /:
            get:
              operationId: get
              responses:
                200: {content: {a/json: {schema: {properties: {a: {}}}}, text/csv: {schema: {required: [b]}}, "*/*": {}}}
    """
    for unknown, fits in (("allow", True), ("report", False)):
        wanted = f"{{openapi: d.yaml, operation: get, unknown_fields: {unknown}}}"
        made = compile_contracts(loaded(tmp_path, ROUTE % wanted, d=document)).replies["all"]
        content = made.replies["200"].content
        validator = content["a/json"]
        assert validator is not None
        assert validator.is_valid({"x": 1}) is fits
        assert (content["text/csv"], content["*/*"], made.names) == (None, None, frozenset({"a"}))


def test_problems(tmp_path: Path) -> None:
    document = """
        openapi: 3.1.0
        paths:
          /silent: {get: {operationId: silent}}
          /pattern: {get: {operationId: pattern, responses: {200: {content: {a/json: {schema: {pattern: '(?=a)'}}}}}}}
          /loop: {get: {operationId: loop, responses: {200: {content: {a/json: {schema: {$ref: "#/x"}}}}}}}
        x: {not: {$ref: "#/x"}}
    """
    with pytest.raises(ConfigError) as caught:
        loaded(
            tmp_path,
            *[
                (ROUTE % f"{{openapi: {file}, operation: {operation}}}")
                .replace("all", operation)
                .replace("/v1", f"/{at}")
                for at, (file, operation) in enumerate(
                    [
                        ("pets.yaml", "lostPet"),
                        ("d.yaml", "silent"),
                        ("d.yaml", "pattern"),
                        ("d.yaml", "loop"),
                        ("no.yaml", "none"),
                    ]
                )
            ],
            d=document,
        )
    found = [str(each).replace(f"{tmp_path}/", "").replace(" error: ", " ") for each in caught.value.problems]
    loop = "has a schema that cannot be used: `x` leads back to itself without going into a value"
    assert found == [
        "gateway.yaml:4:123: routes[0].response.operation: `pets.yaml` has no operation `lostPet`; did you mean `listPets`?",
        "gateway.yaml:5:119: routes[1].response.operation: `d.yaml` describes no replies of `silent`",
        f"gateway.yaml:7:88: routes[3].response: `d.yaml` {loop}",
        "d.yaml:5:97: the regular expression `(?=a)` cannot be matched without backtracking, or is none",
        "no.yaml: cannot be read: No such file or directory",
    ]
