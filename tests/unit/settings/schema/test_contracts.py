"""`routes[].request`."""

from pathlib import Path

import pytest

from gateway.settings import Config, parse
from tests.yaml_files import LEAST, complaints


def with_route(more: str) -> str:
    return LEAST.replace("upstream: service}]", f"upstream: service, {more}}}]")


def config(more: str) -> Config:
    return parse(with_route(more), directory=Path("/etc/gw"))


def test_defaults_and_paths() -> None:
    request = config("request: {openapi: a.yaml, operation: b}").routes[0].request
    assert request is not None
    assert (request.openapi, request.operation, request.mode) == ("/etc/gw/a.yaml", "b", "enforce")
    assert (request.unknown_fields, request.unknown_query, request.max_body) == ("allow", "allow", 1 << 20)
    schema = config("request: {schema: s.json, unknown_fields: refuse, max_body: 2KiB}").routes[0].request
    assert schema is not None
    assert (schema.json_schema, schema.max_body) == ("/etc/gw/s.json", 2048)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ("{}", "exactly one of `openapi` and `schema` is wanted here"),
        ("{openapi: a, schema: b}", "exactly one of `openapi` and `schema` is wanted here"),
        ("{openapi: a}", "`operation` is missing: the `operationId` of the operation in the document"),
        ("{schema: a, operation: b}", "`operation` goes with `openapi`; a `schema` is about the body only"),
        ("{schema: a, unknown_query: allow}", "`unknown_query` goes with `openapi`; a `schema` is about the body only"),
    ],
)
def test_one_or_the_other(request_: str, text: str) -> None:
    (found,) = complaints(with_route(f"request: {request_}"))
    assert found.endswith(f"routes[0].request: {text}")


def test_files() -> None:
    (found,) = complaints(with_route("request: {schema: ''}"))
    assert found.endswith("the name of a file is wanted here")
