"""Schemas of the envelope fit what the gateway writes."""

import json
from typing import Any

from gateway.kernel.envelope.write import error, success
from gateway.kernel.faults import CATALOGUE, Detail, Link
from gateway.openapi.publish.envelope_schemas import (
    COMPONENT,
    ENVELOPE,
    SAMPLE_ID,
    enveloped,
    explained_codes,
    is_envelope,
    json_content,
    limit_headers,
)
from gateway.openapi.validator import Validator


def validator(schema: Any) -> Validator:
    definitions: Any = json.loads(json.dumps(ENVELOPE).replace(COMPONENT, "#/$defs/"))
    return Validator(json.loads(json.dumps(schema).replace(COMPONENT, "#/$defs/")), definitions)


def test_results() -> None:
    schema = validator(enveloped({"type": "integer"}))
    assert schema.is_valid(json.loads(success(SAMPLE_ID, b"3")))
    assert not schema.is_valid(json.loads(success(SAMPLE_ID, b'"x"')))


def test_errors() -> None:
    details = (Detail("t", "f", more={"in": "body"}),)
    written = json.loads(error(SAMPLE_ID, 1001, "m", "d", (Link("http://a", "b"),), details))
    assert validator(ENVELOPE["Error"]).is_valid(written)
    del written["data"]["code"]
    assert not validator(ENVELOPE["Error"]).is_valid(written)


def test_what_is_enveloped_already() -> None:
    assert is_envelope(enveloped({}))
    assert is_envelope(ENVELOPE["Error"])
    assert not is_envelope({"type": "object", "properties": {"status": {}}})
    assert not is_envelope({"properties": None})
    assert not is_envelope(schema=True)


def test_content_is_json() -> None:
    assert json_content({"type": "string"}) == {"application/json": {"schema": {"type": "string"}}}


def test_fields_of_limits() -> None:
    made = limit_headers(["Minute", "Day"])
    assert list(made) == [
        "X-RateLimit-Limit-Minute",
        "X-RateLimit-Remaining-Minute",
        "X-RateLimit-Limit-Day",
        "X-RateLimit-Remaining-Day",
        "RateLimit-Policy",
        "RateLimit",
    ]
    assert limit_headers([]) == {}


def test_codes_are_explained_but_for_what_is_never_sent() -> None:
    made = explained_codes(CATALOGUE)
    assert made["8000"]["message"] == "Limit exceeded"
    assert made["1005"]["meanings"][0]["status"] == 404
    assert {each["status"] for code in made.values() for each in code["meanings"]}.isdisjoint({499})
