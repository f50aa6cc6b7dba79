"""How answers of services differ from what a document says about them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.openapi.compile import compile_contracts
from gateway.openapi.drift.reply_contract import Drift, ReplyCheck, ReplyContract
from gateway.upstream.call import Fields
from tests.contract_documents import loaded

DOCUMENT = """
    openapi: 3.1.0
    paths:
      /pets:
        get:
          operationId: get
          responses:
            "200":
              description: The pets.
              headers: {X-Total: {required: true, schema: {type: integer}}, X-Page: {schema: {type: integer}}}
              content:
                application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Pet"}}}
                text/csv: {}
            "204": {description: None.}
            "201": {description: No body., content: {}}
            4XX: {description: An error., content: {application/*: {schema: {required: [detail]}}}}
            default: {description: Anything., content: {"*/*": {schema: {required: [id]}}}}
        post:
          operationId: post
          responses: {"200": {description: A pet., content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}
    components:
      schemas:
        Pet:
          type: object
          required: [name, secret, id]
          properties:
            id: {type: integer, readOnly: true}
            name: {type: string, maxLength: 5}
            secret: {type: string, writeOnly: true}
            born: {type: string, format: date}
            owners: {type: object, additionalProperties: {type: string}}
            home: {type: object, properties: {street: {type: string}}, additionalProperties: false}
"""
JSON: Fields = [(b"content-type", b"application/json; charset=utf-8")]
TOTAL: Fields = [*JSON, (b"x-total", b"1")]
REX = {"id": 1, "name": "Rex"}


def made(folder: Path, operation: str = "get", more: str = "", envelope: str = "auto") -> ReplyContract:
    response = f"{{openapi: d.yaml, operation: {operation}, share: 5%{more}}}"
    route = (
        "{id: all, upstream: pets, match: {path: /pets, methods: [GET, POST]},"
        f" envelope: {{mode: {envelope}}}, response: {response}}}"
    )
    return compile_contracts(loaded(folder, route, d=DOCUMENT)).replies["all"]


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> ReplyContract:
    return made(tmp_path_factory.mktemp("pets"))


def drifts(contract: ReplyContract, value: Any, fields: Fields = TOTAL, status: int = 200) -> list[Drift]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return contract.check(b"GET", status, fields, body).drifts


def test_what_is_as_described(pets: ReplyContract) -> None:
    assert pets.methods == {b"GET", b"HEAD"}
    assert drifts(pets, [REX, {"id": 2, "name": "Ada", "new": 1}]) == []
    assert drifts(pets, b"a,b\n", [(b"content-type", b"text/csv"), (b"x-total", b"1")]) == []
    assert pets.check(b"GET", 204, [], b"") == ReplyCheck([])
    assert pets.check(b"HEAD", 200, TOTAL, b"") == ReplyCheck([])
    assert drifts(pets, {"detail": "x"}, [(b"content-type", b"application/problem+json")], 404) == []
    assert drifts(pets, {"id": 1}, status=500) == []


def test_every_kind_of_difference(pets: ReplyContract) -> None:
    value = [
        REX,
        {"name": 7, "born": "yesterday", "owners": {"ada@example.com": 1, "bob@example.com": None}},
        {"id": "1", "name": "Rex the first", "home": {"street": "a", "zip": 1}},
        5,
    ]
    assert set(drifts(pets, value)) == {
        Drift("missing", "/*/id", "This is missing."),
        Drift("value", "/*/born", "This must be a date such as 2026-01-31."),
        Drift("type", "/*/name", "This must be a text, and is a number."),
        Drift("type", "/*/owners/*", "This must be a text, and is a number."),
        Drift("type", "/*/owners/*", "This must be a text, and is null."),
        Drift("unknown_field", "/*/home/zip", "There is no field of this name."),
        Drift("type", "/*/id", "This must be a whole number, and is a text."),
        Drift("value", "/*/name", "This must have 5 characters or fewer."),
        Drift("type", "/*", "This must be an object, and is a number."),
    }


@pytest.mark.parametrize(
    ("status", "fields", "body", "found"),
    [
        (200, JSON, b"[]", Drift("missing", "header.x-total", "This is missing.")),
        (200, TOTAL, b"", Drift("missing", "", "There is no body.")),
        (201, JSON, b"[]", Drift("media_type", "", "There is a body, and the document describes none.")),
        (
            200,
            [(b"content-type", b"text/html; x"), (b"x-total", b"1")],
            b"<p>",
            Drift(
                "media_type", "", "The body is of `text/html`, and the document describes application/json or text/csv."
            ),
        ),
        (
            404,
            [(b"content-type", b"\xff")],
            b"x",
            Drift("media_type", "", "The body is of no media type, and the document describes application/*."),
        ),
        (200, TOTAL, b"[1", Drift("body", "", "The body is not valid JSON: it breaks off.")),
        (200, [*TOTAL, (b"content-encoding", b"gzip")], b"[]", Drift("body", "", "The body cannot be decompressed.")),
        (200, TOTAL, b"[true]", Drift("type", "/*", "This must be an object, and is true or false.")),
    ],
)
def test_differences_of_the_whole(pets: ReplyContract, status: int, fields: Fields, body: bytes, found: Drift) -> None:
    assert pets.check(b"GET", status, fields, body) == ReplyCheck([found])


def test_statuses_that_are_not_described(tmp_path: Path) -> None:
    contract = made(tmp_path, "post")
    assert contract.methods == {b"POST"}
    assert contract.check(b"POST", 304, [], b"") == ReplyCheck([])
    (found,) = contract.check(b"POST", 500, JSON, b"{}").drifts
    assert found == Drift("status", "", "The document describes no reply with status 500.")


def test_bodies_that_are_not_in_memory(pets: ReplyContract) -> None:
    assert pets.check(b"GET", 200, TOTAL, None) == ReplyCheck([], partial=True)
    assert pets.check(b"GET", 200, [*TOTAL[1:], (b"content-type", b"text/csv")], None) == ReplyCheck([])


def test_other_spellings_of_a_body(pets: ReplyContract) -> None:
    text = json.dumps([REX])
    coded = [*TOTAL, (b"content-encoding", b"gzip")]
    assert pets.check(b"GET", 200, coded, gzip.compress(text.encode())).drifts == []
    assert drifts(pets, b"\xef\xbb\xbf " + text.encode()) == []
    wide = [(b"content-type", b"application/json; charset=utf-16"), TOTAL[1]]
    assert drifts(pets, text.encode("utf-16"), wide) == []


def enveloped(status: str, **data: Any) -> dict[str, Any]:
    return {"requestId": "a", "status": status, "data": data}


def test_envelopes_of_services(pets: ReplyContract, tmp_path: Path) -> None:
    assert drifts(pets, enveloped("SUCCESS", result=[REX])) == []
    assert drifts(pets, enveloped("SUCCESS", result=[{"id": 1}])) == [
        Drift("missing", "/data/result/*/name", "This is missing.")
    ]
    problem = [(b"content-type", b"application/json")]
    assert drifts(pets, enveloped("ERROR", detail="x"), problem, 404) == []
    assert drifts(pets, enveloped("ERROR", code=1), problem, 404) == [
        Drift("missing", "/data/detail", "This is missing.")
    ]
    for other in (enveloped("ACTIVE", result=[REX]), {"data": {"result": [REX]}}):
        assert drifts(pets, other) == [Drift("type", "", "This must be a list, and is an object.")]
    wrapping = made(tmp_path, envelope="wrap")
    assert drifts(wrapping, enveloped("SUCCESS", result=[REX]))[0].kind == "type"


def test_fields_that_nobody_has_described(tmp_path: Path) -> None:
    contract = made(tmp_path, more=", unknown_fields: report")
    name = "n" * 100
    assert drifts(contract, [REX | {name: 1}]) == [
        Drift("unknown_field", f"/*/{'n' * 64}", "There is no field of this name.")
    ]
