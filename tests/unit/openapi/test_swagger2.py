"""Operations of Swagger 2."""

from pathlib import Path

import pytest

from gateway.openapi.load import load_document
from gateway.openapi.model import ApiDocument
from gateway.settings import ConfigError


@pytest.fixture(scope="module")
def oldest() -> ApiDocument:
    document, _ = load_document(str(Path("tests/documents/oldest.json")))
    return document


def test_text_in_json(oldest: ApiDocument) -> None:
    assert oldest.description == "café 😀 / ${HOME}"


def test_parameters(oldest: ApiDocument) -> None:
    listed = oldest.operations["listFiles"]
    assert [(each.name, each.style, each.explode, each.schema) for each in listed.parameters] == [
        ("ids", "pipe", False, {"type": "array", "items": {"type": "integer"}}),
        ("kinds", "form", True, {"type": "array", "items": {"type": "string"}}),
    ]
    assert (listed.base, listed.path, listed.open) == ("/files", "/", False)


def test_bodies(oldest: ApiDocument) -> None:
    created, upload = oldest.operations["createFile"], oldest.operations["upload"]
    assert created.open
    assert created.body is not None
    assert created.body.content["application/json"].schema == {"$ref": "#/$defs/File"}
    assert upload.body is not None
    assert list(upload.body.content) == ["application/x-www-form-urlencoded", "multipart/form-data"]
    assert upload.body.content["multipart/form-data"].schema == {
        "type": "object",
        "properties": {"title": {"type": "string"}, "pages": {"type": "integer"}, "content": {}},
        "required": ["title"],
    }
    (identity,) = upload.parameters
    assert (identity.name, identity.required) == ("id", True)


def test_responses(oldest: ApiDocument) -> None:
    listed = oldest.operations["listFiles"]
    found = listed.response(200)
    assert found is not None
    assert found.content["application/json"].examples == ([{"name": "a"}],)
    assert found.fields["X-Total"].schema == {"type": "integer", "description": "All."}
    problem = listed.response(500)
    assert problem is not None
    assert problem.description == "An error."
    assert oldest.schemas["File"] == {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": ["string", "null"]}, "next": {"$ref": "#/$defs/File"}},
    }


def test_what_is_malformed() -> None:
    document, warnings = load_document(
        "-",
        b"swagger: '2.0'\npaths: {/a: {post: {consumes: [a/b], parameters: [{name: f, in: formData, type: string}]}}}",
    )
    (operation,) = document.operations.values()
    assert operation.body is not None
    assert list(operation.body.content) == ["application/x-www-form-urlencoded"]
    assert not operation.body.required
    assert not warnings


def test_parameters_that_are_none() -> None:
    with pytest.raises(ConfigError) as caught:
        load_document("-", b"swagger: '2.0'\npaths: {/a: {get: {parameters: [{in: nowhere}, {$ref: '#/none'}]}}}")
    assert [each.text.partition(",")[0] for each in caught.value.problems] == [
        "a parameter has a `name`",
        "`#/none` refers to nothing",
    ]
