"""What is wrong with requests, all of it at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from gateway.kernel.faults import GatewayError
from gateway.openapi.compile import compile_contracts
from gateway.openapi.request_contract import RequestContract
from tests.contract_documents import contract, loaded

JSON = CIMultiDict({"Content-Type": "application/json"})
FORM = CIMultiDict({"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"})


@pytest.fixture
def create(tmp_path: Path) -> RequestContract:
    return contract(tmp_path, "{openapi: pets.yaml, operation: createPet}")


@pytest.fixture
def listing(tmp_path: Path) -> RequestContract:
    return contract(tmp_path, "{openapi: pets.yaml, operation: listPets, unknown_query: refuse}")


def faults(
    checked: RequestContract,
    body: bytes = b"",
    headers: "CIMultiDict[str]" = JSON,
    *,
    query: str = "",
    path: str = "/v1/pets",
) -> tuple[str, dict[str, str]]:
    """The name of the error, and the texts by field; ("", {}) for none."""
    error = checked.check(path, query, headers, body, checked.body_of(headers) if body else None)
    if error is None:
        return "", {}
    return error.fault.name, {detail.field or "": detail.text for detail in error.details}


def test_bodies(create: RequestContract) -> None:
    assert faults(create, b'{"name": "Rex", "kind": "dog", "more": 1}') == ("", {})
    assert faults(create) == ("request_incomplete", {"body": "This is missing."})
    assert faults(create, b"{}")[0] == "request_incomplete"
    assert faults(create, b'{"kind": "dog", "tags": [{"name": "a"}, {"level": "x"}]}') == (
        "request_invalid",
        {
            "body.name": "This is missing.",
            "body.tags[1].name": "This is missing.",
            "body.tags[1].level": "This must be a whole number.",
        },
    )
    assert faults(create, b"[") == ("request_invalid", {"body": "The body is not valid JSON: it breaks off."})


def test_pointers(create: RequestContract) -> None:
    error = create.check("/v1/pets", "", JSON, b'{"name":"a","kind":"dog","tags":[1]}', create.body_of(JSON))
    assert error is not None
    assert error.details[0].more == {"in": "body", "pointer": "/tags/0"}
    assert error.cause == "1 faults"


def test_forms(create: RequestContract) -> None:
    assert faults(create, b"name=Rex&kind=dog&weight=3.5", FORM) == ("", {})
    assert faults(create, b"name=Rex&name=Max&kind=dog&weight=x", FORM) == (
        "request_invalid",
        {"body.name": "This is given more than once.", "body.weight": "This must be a number."},
    )
    assert faults(create, b"\xff", FORM) == ("request_invalid", {"body": "The body is not UTF-8."})
    assert faults(create, b"a=1&" * 1001, FORM)[1] == {"body": "The body has more than 1000 fields."}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"Content-Type": "text/xml"}, "Send the body as application/json or application/x-www-form-urlencoded."),
        ({"Content-Encoding": "gzip"}, "A compressed body cannot be checked. Send it without Content-Encoding."),
        ({"Content-Type": "application/json; a=b; charset=utf-16"}, "Send the body in UTF-8."),
    ],
)
def test_media_types_that_are_refused(create: RequestContract, fields: dict[str, str], text: str) -> None:
    with pytest.raises(GatewayError) as caught:
        create.body_of(CIMultiDict(fields))
    assert caught.value.fault.status == 415
    assert [(detail.text, detail.field) for detail in caught.value.details] == [(text, "header.Content-Type")]


def test_media_types(create: RequestContract, tmp_path: Path) -> None:
    for fields in (
        {},
        {"Content-Type": "Application/JSON ;charset=us-ascii"},
        {"Content-Type": "application/json; v=1"},
        {"Content-Encoding": "identity"},
    ):
        assert create.body_of(CIMultiDict(fields)).kind == "json"
    ranges = contract(
        tmp_path,
        "{openapi: d.yaml, operation: post}",
        d="""
        openapi: 3.1.0
        paths:
          /: {post: {requestBody: {content: {text/*: {}, application/vnd.x+json: {schema: {type: object}}}}}}
        """,
    )
    assert ranges.body_of(CIMultiDict({"Content-Type": "text/plain; charset=latin-1"})).kind == "opaque"
    assert ranges.body_of(CIMultiDict({})).kind == "json"
    assert faults(ranges, b"\xff", CIMultiDict({"Content-Type": "text/plain"})) == ("", {})
    assert faults(ranges) == ("", {})


def test_queries(listing: RequestContract) -> None:
    assert faults(listing, query="limit=5&tag=a&tag=b&kinds=dog,cat&filter[age]=3") == ("", {})
    assert faults(listing, query="limit=0&kinds=cow&filter[age]=x&other=1&tag=" + "x" * 21) == (
        "request_invalid",
        {
            "query.limit": "This must be 1 or more.",
            "query.kinds[0]": "This must be dog, cat or fish.",
            "query.filter.age": "This must be a whole number.",
            "query.other": "There is no field of this name.",
            "query.tag[0]": "This must have 20 characters or fewer.",
        },
    )
    assert faults(listing, query="limit=5&limit=5")[1] == {"query.limit": "This is given more than once."}
    assert faults(listing, query="&" * 1001)[1] == {"query": "The query has more than 1000 parameters."}


def test_header_fields(listing: RequestContract, tmp_path: Path) -> None:
    assert faults(listing, headers=CIMultiDict({"x-trace": "3"}))[1] == {"header.X-Trace": "This must be a UUID."}
    assert faults(listing, headers=CIMultiDict([("X-Trace", "a"), ("X-Trace", "b")]))[1] == {
        "header.X-Trace": "This is given more than once."
    }
    lists = contract(
        tmp_path,
        "{openapi: d.yaml, operation: get}",
        d="""
        openapi: 3.1.0
        paths:
          /:
            get:
              parameters:
                - {name: X-Ids, in: header, required: true, schema: {type: array, maxItems: 3, items: {type: integer}}}
        """,
    )
    assert faults(lists, headers=CIMultiDict([("X-Ids", "1, 2"), ("X-Ids", "3")])) == ("", {})
    assert faults(lists, headers=CIMultiDict({"X-Ids": "1,\udcff"}))[1] == {
        "header.X-Ids[1]": "This must be a whole number."
    }
    assert faults(lists, headers=CIMultiDict()) == ("request_incomplete", {"header.X-Ids": "This is missing."})


def test_paths(tmp_path: Path) -> None:
    config = "{id: one, upstream: pets, match: {path: '/v1/pets/{petId}', methods: [GET]}, request: {openapi: pets.yaml, operation: getPet}}"
    one = compile_contracts(loaded(tmp_path, config)).requests["one"]
    assert one.methods == {"GET", "HEAD"}
    assert faults(one, path="/v1/pets/%31") == ("", {})
    assert faults(one, path="/v1/pets/+1") == ("request_invalid", {"path.petId": "This must be a whole number."})


def test_a_schema_of_the_body(tmp_path: Path) -> None:
    made = contract(
        tmp_path,
        "{schema: s.yaml, unknown_fields: refuse}",
        s="{properties: {a: {$ref: '#/$defs/A'}}, required: [a], $defs: {A: {type: integer}}}",
    )
    assert made.methods == {"POST"}
    assert faults(made, b'{"a": 1}') == ("", {})
    assert faults(made, b'{"b": 1}')[1] == {"body.a": "This is missing.", "body.b": "There is no field of this name."}
    assert faults(made) == ("request_incomplete", {"body": "This is missing."})


def test_a_hundred_faults(create: RequestContract) -> None:
    pet: dict[str, Any] = {
        "name": "Rex",
        "kind": "dog",
        "tags": [{"name": number} for number in range(99)],
        "weight": -1,
    }
    error = create.check("/", "", JSON, json.dumps(pet).encode(), create.body_of(JSON))
    assert error is not None
    assert len({detail.field for detail in error.details[:100]}) == 100
    assert error.details[100:] == (error.details[100],)
    assert error.details[100].text == "There may be more faults than these."
    pet["tags"].pop()
    error = create.check("/", "", JSON, json.dumps(pet).encode(), create.body_of(JSON))
    assert error is not None
    assert len(error.details) == 99
