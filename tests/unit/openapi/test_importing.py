"""Routes that are made of documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.openapi.importing import ImportOptions, named, routes_of
from gateway.openapi.load import load_document
from gateway.settings import parse
from tests.contract_documents import DOCUMENTS

PLAIN = ImportOptions("pets")


def imported(text: str, options: ImportOptions = PLAIN) -> tuple[list[dict[str, Any]], list[str]]:
    return routes_of(load_document("d", f"openapi: 3.1.0\n{text}".encode())[0], options)


def test_a_document() -> None:
    document, _ = load_document(str(DOCUMENTS / "pets.yaml"))
    routes, remarks = routes_of(document, ImportOptions("pets", "/v1", (), "shadow", "pets.yaml"))
    assert not remarks
    assert [route["id"] for route in routes] == list(document.operations)
    assert routes[1] == {
        "id": "createPet",
        "match": {"path": "/v1/pets", "methods": ["POST"]},
        "upstream": "pets",
        "rewrite": {"strip_prefix": "/v1", "add_prefix": "/api"},
        "limits": [{"id": "document", "max": 10, "per": "1m", "scope": "route"}],
        "request": {"openapi": "pets.yaml", "operation": "createPet", "mode": "shadow"},
    }
    checked = routes_of(document, ImportOptions("pets", file="pets.yaml", response="5%")).routes
    assert checked[1]["response"] == {"openapi": "pets.yaml", "operation": "createPet", "share": "5%"}
    assert not any("response" in route for route in routes)
    assert routes[2]["auth"] == "none"
    assert "auth" not in routes[0]


@pytest.mark.parametrize("file", ["pets.yaml", "older.yaml", "oldest.json"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_the_routes_are_a_configuration(file: str, prefix: str) -> None:
    document, _ = load_document(str(DOCUMENTS / file))
    routes, _ = routes_of(document, ImportOptions("a", prefix))
    upstreams = '[{"id": "a", "targets": [{"url": "http://127.0.0.1:9"}]}]'
    config = parse(f"version: 1\nupstreams: {upstreams}\nroutes: {json.dumps(routes)}")
    assert len(config.routes) == len(document.operations)


def test_paths_and_tags() -> None:
    document, _ = load_document(str(DOCUMENTS / "pets.yaml"))
    assert routes_of(document, PLAIN).routes[0]["match"]["path"] == "/api/pets"
    routes, _ = routes_of(document, ImportOptions("pets", tags=["pets"]))
    assert [route["id"] for route in routes] == ["listPets", "createPet"]


def test_what_a_gateway_has_no_form_for() -> None:
    routes, remarks = imported("""
paths:
  "/a/{pet-id}/{1}.json": {get: {operationId: "a b"}}
  "/b/{x}": {get: {operationId: one}}
  "/b/{y}": {get: {operationId: other}, trace: {}}
  "/c/*": {get: {}}
  "/d/{x}/{x}": {get: {operationId: "a/b", x-rate-limit: [{max: 1, per: 1s}, {max: x}, 3]}}
  "/e$": {get: {operationId: "!"}}
  "/f/{x}": {head: {operationId: alone}}
  "/b/{z}": {head: {operationId: with}}
""")
    assert [(route["id"], route["match"]["path"]) for route in routes] == [
        ("a-b", "/a/{pet_id}/{_1}"),
        ("one", "/b/{x}"),
        ("a-b-2", "/d/{x}/{x_2}"),
        ("operation", "/e$$"),
        ("alone", "/f/{x}"),
    ]
    assert list(named(routes)) == [route["id"] for route in routes]
    assert routes[2]["limits"] == [{"id": "document", "max": 1, "per": "1s", "scope": "route"}]
    assert remarks == [
        "d:4: a b: its path is /a/{pet_id}/{_1} here",
        "d:6: other: left out: one has the same method and path",
        "d:6: trace-b-y: left out: TRACE is no method that routes have",
        "d:7: get-c: left out: a wildcard is written `{rest*}`",
        "d:8: a/b: its path is /d/{x}/{x_2} here",
        "d:11: with: left out: the route of one answers HEAD, too",
    ]


def test_files_are_read_from_disk(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text("openapi: 3.0.0\npaths: {/: {get: {}}}")
    assert routes_of(load_document(str(tmp_path / "d.yaml"))[0], PLAIN).routes[0]["id"] == "get"
