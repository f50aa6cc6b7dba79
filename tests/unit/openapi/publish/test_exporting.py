"""One document of all routes, as callers see them."""

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from gateway.openapi.importing import ImportOptions, routes_of
from gateway.openapi.load import load_document
from gateway.openapi.merging import merge
from gateway.openapi.model import Audience
from gateway.openapi.publish.exporting import PublishedDocument, exported
from gateway.settings import Config, load, parse
from tests.contract_documents import DOCUMENTS

UPSTREAMS = 'version: 1\nupstreams: [{id: u, targets: [{url: "http://127.0.0.1:9"}]}]\n'


def source(name: str) -> Any:
    return load_document(name)[0]


def imported(name: str, tmp_path: Path, prefix: str = "", *, checked: bool = True) -> Config:
    """A configuration with the routes of a document."""
    document, _ = load_document(name)
    routes, _ = routes_of(document, ImportOptions("u", prefix, (), "enforce" if checked else None, str(name)))
    (tmp_path / "gateway.yaml").write_text(UPSTREAMS + merge("r", "", routes).text)
    return load(tmp_path / "gateway.yaml", {})


SHAPES = sorted(DOCUMENTS.glob("apis/*.*"))
"""Documents of our own, in the shape of those that APIs have published."""


@pytest.mark.parametrize("file", [*SHAPES, *(DOCUMENTS / name for name in ("pets.yaml", "older.yaml", "oldest.json"))])
def test_importing_exporting_and_importing_again_is_a_fixed_point(file: Path, tmp_path: Path) -> None:
    sourced = cache(source)
    first = exported(imported(str(file.resolve()), tmp_path), sourced)
    validate(first)
    assert first["paths"]
    (tmp_path / "first.json").write_text(json.dumps(first))
    config = imported(str(tmp_path / "first.json"), tmp_path)
    assert exported(config, sourced) == first
    (tmp_path / "second.json").write_text(json.dumps(exported(config, sourced)))
    again = imported(str(tmp_path / "second.json"), tmp_path)
    assert [(each.id, each.match, each.auth, each.limits) for each in again.routes] == [
        (each.id, each.match, each.auth, each.limits) for each in config.routes
    ]


def test_there_are_ten_shapes_and_they_differ() -> None:
    versions = [source(str(file)) for file in SHAPES]
    assert len(versions) == len({each.title for each in versions}) == 10
    texts = "".join(file.read_text() for file in SHAPES)
    for kind in (
        "swagger",
        "openapi: 3.0",
        "openapi: 3.1",
        "discriminator",
        "webhooks",
        "callbacks",
        "x-www-form-urlencoded",
    ):
        assert kind in texts


@pytest.mark.parametrize("file", ["pets.yaml", "oldest.json"])
@pytest.mark.parametrize("checked", ["checked", "unchecked"])
def test_below_a_prefix_it_is_a_fixed_point_too(file: str, checked: str, tmp_path: Path) -> None:
    first = exported(imported(str(DOCUMENTS.resolve() / file), tmp_path, "/v1", checked=checked == "checked"), source)
    validate(first)
    (tmp_path / "first.json").write_text(json.dumps(first))
    assert exported(imported(str(tmp_path / "first.json"), tmp_path, checked=checked == "checked"), source) == first


def test_an_operation(tmp_path: Path) -> None:
    document = exported(imported(str(DOCUMENTS.resolve() / "pets.yaml"), tmp_path, "/v1"), source)
    created = document["paths"]["/v1/pets"]["post"]
    assert (created["operationId"], created["summary"], created["tags"]) == ("createPet", "Add a pet.", ["pets"])
    assert created["x-rate-limit"] == [{"id": "document", "max": 10, "per": "1m"}]
    schema = created["responses"]["201"]["content"]["application/json"]["schema"]
    assert schema["properties"]["data"]["properties"]["result"] == {"$ref": "#/components/schemas/Pet"}
    example = created["responses"]["201"]["content"]["application/json"]["example"]
    assert example["data"]["result"]["name"] == "Rex"
    assert {"400", "401", "403", "415", "429", "503", "default"} <= set(created["responses"])
    assert created["responses"]["429"] == {"$ref": "#/components/responses/Error429"}
    limited = document["components"]["responses"]["Error429"]
    assert document["components"]["headers"].keys() >= limited["headers"].keys() >= {"X-RateLimit-Remaining-Minute"}
    assert "Retry-After" in limited["headers"]
    assert "8000 Limit exceeded" in limited["description"]
    assert created["requestBody"]["content"]["application/json"]["example"] == {"name": "Rex", "kind": "dog"}
    got = document["paths"]["/v1/pets/{petId}"]["get"]
    assert got["security"] == []
    assert "401" not in got["responses"]
    assert [each.get("name") for each in got["parameters"]] == ["petId"]
    assert document["paths"]["/v1/pets/{petId}"]["delete"]["deprecated"]
    assert "content" not in document["paths"]["/v1/pets/{petId}"]["delete"]["responses"]["204"]
    assert document["components"]["schemas"]["Pet"]["allOf"][0] == {"$ref": "#/components/schemas/NewPet"}
    assert "standard: 300 calls a minute" in document["info"]["description"]


def test_routes_without_a_document() -> None:
    document = exported(
        parse(
            UPSTREAMS
            + """
routes:
  - {id: all, upstream: u, match: {prefix: /v1, methods: [GET, POST]}}
  - {id: raw, upstream: u, match: {path: "/files/{name}/{rest*}", methods: [GET]}, auth: none, envelope: {mode: passthrough}}
"""
        ),
        source,
    )
    validate(document)
    assert set(document["paths"]) == {"/v1/{rest}", "/files/{name}/{rest}"}
    listed = document["paths"]["/v1/{rest}"]["get"]
    assert listed["operationId"] == "all-get"
    assert "415" not in listed["responses"]
    assert listed["responses"]["2XX"] == {"$ref": "#/components/responses/Success"}
    assert document["components"]["responses"]["Success"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Success"
    }


def test_services_that_speak_for_themselves(tmp_path: Path) -> None:
    pets = DOCUMENTS.resolve() / "pets.yaml"
    (tmp_path / "other.yaml").write_text(pets.read_text())
    document = exported(
        parse(
            UPSTREAMS
            + f"""
routes:
  - {{id: a, upstream: u, match: {{path: /a, methods: [POST]}}, request: {{openapi: {pets}, operation: createPet}}, envelope: {{mode: passthrough}}}}
  - {{id: b, upstream: u, match: {{prefix: /b, methods: [GET]}}, request: {{openapi: {tmp_path}/other.yaml, operation: getPet}}}}
"""
        ),
        source,
    )
    validate(document)
    assert document["paths"]["/a"]["post"]["responses"]["201"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Pet"
    }
    assert [each.get("name") for each in document["paths"]["/b/{rest}"]["get"]["parameters"]] == [None, "rest"]
    assert {"Pet", "Pet-2", "NewPet-2"} <= set(document["components"]["schemas"])


SERVED = parse(
    UPSTREAMS
    + """
plans: [{id: gold, limits: [{id: minute, max: 7, per: 1m}]}, {id: free, limits: [{id: minute, max: 3, per: 1m}]}]
routes:
  - {id: open, upstream: u, match: {path: /open, methods: [GET]}, auth: none}
  - {id: orders, upstream: u, match: {path: /orders, methods: [GET, POST]}}
  - {id: bills, upstream: u, match: {path: /bills, methods: [GET]}, request: {openapi: pets.yaml, operation: listPets}}
"""
)


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (Audience("gold", keyed=True), {"/open": {"get"}, "/orders": {"get", "post"}, "/bills": {"get"}}),
        (Audience("gold", keyed=True, routes=frozenset({"orders"})), {"/open": {"get"}, "/orders": {"get", "post"}}),
        (Audience("gold", keyed=True, methods=frozenset({"POST"})), {"/open": {"get"}, "/orders": {"post"}}),
        (Audience("anonymous"), {"/open": {"get"}}),
    ],
)
async def test_everybody_is_shown_what_it_may_use(audience: Audience, expected: dict[str, set[str]]) -> None:
    document = json.loads((await PublishedDocument(SERVED, {}).of(audience, "json")).body)
    validate(document)
    assert {path: set(operations) for path, operations in document["paths"].items()} == expected
    assert ("gold: 7 calls" in document["info"]["description"]) == (audience.plan == "gold")
    assert "free" not in document["info"]["description"]
    assert document["paths"].get("/orders", {}).get("post", {}).get("operationId") in {None, "orders-post"}


async def test_a_document_is_made_once_for_all_who_may_use_the_same() -> None:
    published = PublishedDocument(SERVED, {})
    first = await published.of(Audience("gold", keyed=True, routes=frozenset({"orders"})), "json")
    assert await published.of(Audience("gold", keyed=True, routes=frozenset({"orders"})), "json") is first
    other = await published.of(Audience("gold", keyed=True, routes=frozenset({"bills"})), "json")
    assert other.tag != first.tag
    for number in range(PublishedDocument.MOST):
        await published.of(Audience("gold", keyed=True, routes=frozenset({str(number)})), "json")
    again = await published.of(Audience("gold", keyed=True, routes=frozenset({"orders"})), "json")
    assert again is not first
    assert again == first


async def test_yaml_says_the_same() -> None:
    published = PublishedDocument(SERVED, {})
    as_json, as_yaml = (
        await published.of(Audience("gold", keyed=True), "json"),
        await published.of(Audience("gold", keyed=True), "yaml"),
    )
    assert yaml.safe_load(as_yaml.body) == json.loads(as_json.body)
    assert as_yaml.tag != as_json.tag
    assert not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(as_yaml.body))


async def test_who_waits_for_the_same_document_gets_the_one_that_is_made() -> None:
    published = PublishedDocument(SERVED, {})
    one, other = await asyncio.gather(*(published.of(Audience("gold", keyed=True), "json") for _ in range(2)))
    assert one is other


HOSTED = parse(
    UPSTREAMS
    + """
routes:
  - {id: any, upstream: u, match: {path: /a, methods: [GET]}, auth: none}
  - {id: hosted, upstream: u, match: {path: /a, methods: [GET], host: api.example.com}, auth: none}
organizations: [{id: o, limits: [{id: day, max: 2, per: 1d}, {id: odd, max: 2, per: 7m}]}]
observability: {request_id: {header: X-Id}}
"""
)


async def test_what_is_shown_depends_on_the_host() -> None:
    published = PublishedDocument(HOSTED, {})
    for host, expected in (("api.example.com", "hosted"), ("localhost", "any")):
        hosts, hidden = published.visibility.of(host, "", "192.0.2.1")
        document = json.loads((await published.of(Audience("free", hosts=hosts, hidden=hidden), "json")).body)
        assert document["paths"]["/a"]["get"]["operationId"] == expected


def test_fields_are_called_as_the_configuration_has_them() -> None:
    document = exported(HOSTED, source)
    validate(document)
    headers = set(document["components"]["headers"])
    assert {"X-Id", "X-RateLimit-Limit-Minute", "X-RateLimit-Limit-Day"} <= headers
    assert not {"X-Request-Id", "X-RateLimit-Limit-Hour"} & headers
    assert document["x-error-codes"]["8000"]["message"] == "Limit exceeded"
    odd = parse(
        UPSTREAMS
        + "routes: [{id: a, upstream: u, match: {path: /a}}]\nplans: [{id: x, limits: [{id: a, max: 3, per: 7m}]}]\n"
    )
    assert "- x: 3 calls in 420 s" in exported(odd, source)["info"]["description"]
