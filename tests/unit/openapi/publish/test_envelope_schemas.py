"""Schemas of the envelope fit what the gateway writes."""

import json
from typing import Any

from gateway.kernel.envelope.write import error, success
from gateway.kernel.faults import Detail, Link
from gateway.openapi.publish.envelope_schemas import COMPONENT, ENVELOPE, SAMPLE_ID, enveloped
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
