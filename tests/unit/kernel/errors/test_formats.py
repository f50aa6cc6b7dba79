"""kernel/errors/formats.py: one row for each way in which backends write errors, read through `translate`."""

import json
from typing import Any

import pytest

from gateway.kernel.errors.translate import Translation, translate
from gateway.kernel.faults import Detail, Link


def reported(value: object, status: int = 400) -> Translation:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return translate(status, b"application/problem+json", body, "general")


@pytest.mark.parametrize(
    ("value", "message", "developer_message", "details"),
    [
        # RFC 9457 and its forerunner
        ({"title": "Out of credit", "detail": "30 is less than 50", "status": 403, "instance": "/a"}, "Out of credit", "30 is less than 50", []),
        ({"title": "Out of credit"}, "Out of credit", "Out of credit", []),
        ({"detail": "30 is less than 50"}, "30 is less than 50", "30 is less than 50", []),
        ({"title": "T", "errors": [{"detail": "must be positive", "pointer": "#/age"}]}, "T", "T", [("must be positive", "age")]),
        ({"title": "T", "invalid-params": [{"name": "age", "reason": "must be positive"}]}, "T", "T", [("must be positive", "age")]),
        ({"title": "T", "detail": "D", "violations": [{"propertyPath": "a.b", "message": "bad"}]}, "T", "D", [("bad", "a.b")]),
        # ASP.NET
        ({"title": "T", "errors": {"Name": ["too long", "odd"], "$": ["whole"]}}, "T", "T", [("too long", "Name"), ("odd", "Name"), ("whole", None)]),
        # FastAPI
        ({"detail": {"message": "inner", "code": "E7"}}, "inner", "E7: inner", []),
        ({"detail": [{"loc": ["body", "items", 0, "x"], "msg": "not an int", "type": "int"}]}, "not an int", "items.0.x: not an int", [("not an int", "items.0.x")]),
        ({"detail": [{"loc": ["body"], "msg": "no", "type": "x"}]}, "no", "no", [("no", None)]),
        # Spring, Express, NestJS
        ({"timestamp": 1, "status": 400, "error": "Bad Request", "message": "No", "path": "/x", "trace": "at com.Secret"}, "No", "Bad Request: No", []),
        ({"status": 400, "error": "Bad Request", "path": "/x"}, "Bad Request", "Bad Request", []),
        ({"error": "Bad Request", "message": ""}, "Bad Request", "Bad Request", []),
        ({"error": "Bad Request", "message": "No", "errors": [{"field": "age", "defaultMessage": "odd", "rejectedValue": "s3cret"}]}, "No", "Bad Request: No", [("odd", "age")]),
        ({"statusCode": 400, "message": ["a is odd", "b is odd"], "error": "Bad Request"}, "Parameter not valid", "a is odd; b is odd", [("a is odd", None), ("b is odd", None)]),
        ({"message": "plain"}, "plain", "plain", []),
        ({"error": "plain"}, "plain", "plain", []),
        ({"code": "E_7", "message": "plain"}, "plain", "E_7: plain", []),
        # Google, Azure, Stripe
        ({"error": {"code": 400, "message": "No", "status": "INVALID_ARGUMENT"}}, "No", "INVALID_ARGUMENT: No", []),
        ({"error": {"message": "No", "details": [{"@type": "x", "fieldViolations": [{"field": "age", "description": "odd"}]}]}}, "No", "No", [("odd", "age")]),
        ({"error": {"message": "No", "errors": [{"message": "odd", "location": "Authorization", "reason": "r"}]}}, "No", "No", [("odd", "Authorization")]),
        ({"error": {"code": "BadArgument", "message": "No", "details": [{"code": "c", "message": "odd", "target": "age"}]}}, "No", "BadArgument: No", [("odd", "age")]),
        ({"error": {"error": {"error": {"message": "deep"}}}}, "deep", "deep", []),
        # OAuth
        ({"error": "invalid_grant", "error_description": "expired"}, "expired", "invalid_grant: expired", []),
        # JSON:API, GraphQL
        ({"errors": [{"status": "422", "title": "T", "detail": "odd", "source": {"pointer": "/data/attributes/age"}}]}, "odd", "age: odd", [("odd", "age")]),
        ({"errors": [{"title": "odd", "source": {"parameter": "page"}}]}, "odd", "page: odd", [("odd", "page")]),
        ({"errors": [{"message": "odd", "path": ["user", 0, "age"], "extensions": {"code": "X"}}]}, "odd", "user.0.age: odd", [("odd", "user.0.age")]),
        ({"errors": [{"msg": "odd", "param": "age"}, {"error": "bad", "field": "x"}]}, "Parameter not valid", "age: odd; x: bad", [("odd", "age"), ("bad", "x")]),
        # Rails, Laravel, Django REST
        ({"errors": {"age": ["odd"], "base": ["whole"]}}, "Parameter not valid", "age: odd; whole", [("odd", "age"), ("whole", None)]),
        ({"errors": {"age": "odd"}}, "odd", "age: odd", [("odd", "age")]),
        ({"errors": {"age": {"message": "odd", "path": "years"}}}, "odd", "years: odd", [("odd", "years")]),
        ({"errors": ["Age is odd"]}, "Age is odd", "Age is odd", [("Age is odd", None)]),
        ({"message": "M", "errors": {"age": ["odd"]}}, "M", "M", [("odd", "age")]),
        ({"age": ["odd"], "non_field_errors": ["whole"]}, "Parameter not valid", "age: odd; whole", [("odd", "age"), ("whole", None)]),
        (["odd", {"message": "bad", "field": "x"}], "Parameter not valid", "odd; x: bad", [("odd", None), ("bad", "x")]),
        ("just a string", "just a string", "just a string", []),
    ],
)  # fmt: skip
def test_forms(value: object, message: str, developer_message: str, details: list[tuple[str, str | None]]) -> None:
    translation = reported(value)
    assert (translation.message, translation.developer_message) == (message, developer_message)
    assert [(detail.text, detail.field) for detail in translation.details] == details
    assert translation.code == 1001


@pytest.mark.parametrize(
    "value",
    [
        {"detail": [{"loc": ["body", "name"], "msg": "Field required", "type": "missing"}]},
        {
            "detail": [
                {"loc": ["body", "age"], "msg": "odd", "type": "int"},
                {"loc": ["query", "name"], "msg": "x", "type": "value_error.missing"},
            ]
        },
        {"errors": [{"field": "name", "code": "NotNull", "defaultMessage": "x"}]},
        {"errors": [{"instancePath": "/name", "keyword": "required", "message": "x"}]},
        {"errors": {"name": ["can't be blank"]}},
        {"name": ["This field is required."]},
        {"errors": {"Name": ["The Name field is required."]}},
        {"message": ["name must not be empty"]},
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_missing_field_is_1000(value: object, status: int) -> None:
    translation = reported(value, status)
    assert translation.code == 1000
    assert "name" in [str(detail.field or detail.text.split()[0]).lower() for detail in translation.details]


def test_a_missing_field_is_1000_for_validation_only() -> None:
    assert reported({"errors": ["name is required"]}, 404).code == 1001
    assert reported({"errors": ["name is required"]}, 500).code == 1004


@pytest.mark.parametrize(
    ("value", "links"),
    [
        ({"type": "https://x/credit", "title": "T"}, [("https://x/credit", "T")]),
        ({"type": "about:blank", "title": "T"}, []),
        ({"type": "javascript:alert(1)", "title": "T"}, []),
        ({"type": "https://x/a b", "title": "T"}, []),
        ({"error": "e", "error_uri": "https://x/e"}, [("https://x/e", "More information")]),
        ({"error": {"message": "m", "doc_url": "https://x/d"}}, [("https://x/d", "More information")]),
        ({"message": "m", "documentation_url": "https://x/d"}, [("https://x/d", "More information")]),
        ({"message": "m", "links": [{"href": "https://x/1", "title": "One"}, {"url": "https://x/2", "description": "Two"}, {"href": 3}, 4]}, [("https://x/1", "One"), ("https://x/2", "Two")]),
        ({"message": "m", "links": {"about": "https://x/a", "type": {"href": "https://x/t"}}}, [("https://x/a", "about"), ("https://x/t", "More information")]),
        ({"type": "https://x/only"}, [("https://x/only", "More information")]),
    ],
)  # fmt: skip
def test_links(value: object, links: list[tuple[str, str]]) -> None:
    assert reported(value).links == tuple(Link(*link) for link in links)


def test_not_without_bound() -> None:
    nested: Any = {"message": "m"}
    for _ in range(50):
        nested = {"error": nested, "message": "outer", "errors": [[[[[["deep"]]]]]]}
    assert reported(nested).message == "outer"
    many = reported({"errors": [{"message": "x" * 2100, "field": f"f{i}" * 60} for i in range(105)]})
    assert len(many.details) == 100
    assert all(len(detail.text) <= 2000 and len(detail.field or "") <= 200 for detail in many.details)
    assert len(many.developer_message) <= 2000
    assert reported({"errors": ["same"] * 500}).details == (Detail("same"),)
