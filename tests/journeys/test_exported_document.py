"""What a gateway answers is described by the document that it exports of itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.openapi.importing import ImportOptions, routes_of
from gateway.openapi.load import load_document
from gateway.openapi.merging import merge
from gateway.openapi.publish.exporting import exported
from gateway.settings import load
from tests.contract_documents import DOCUMENTS
from tests.fakes import reply
from tests.gateway_process import KEY
from tests.journeys.backends import Front, front

pytestmark = pytest.mark.asyncio(loop_scope="module")

PETS = str(DOCUMENTS.resolve() / "pets.yaml")
ROUTES = merge("r", "", routes_of(load_document(PETS)[0], ImportOptions("backend", "", (), "enforce", PETS)).routes)
SECTIONS = {
    "upstreams": '[{id: backend, targets: [{url: "http://127.0.0.1:{backend}"}]}, '
    '{id: away, targets: [{url: "http://127.0.0.1:1"}]}]',
    "routes": ROUTES.text.partition("routes:")[2].partition("x-imported:")[0]
    + """
  - {id: any, match: {prefix: /any, methods: [GET]}, upstream: backend, error_family: analytics}
  - {id: raw, match: {prefix: /raw, methods: [GET]}, upstream: backend, envelope: {mode: passthrough}}
  - {id: file, match: {prefix: /file, methods: [GET]}, upstream: backend, envelope: {binary: passthrough}}
  - {id: kept, match: {path: /kept, methods: [GET]}, upstream: backend, cache: {ttl: 1m}}
  - {id: once, match: {path: /once, methods: [POST]}, upstream: backend, idempotency: {}}
  - {id: away, match: {path: /away, methods: [GET]}, upstream: away}
""",
}
EXAMPLES = 25


def answer(status: bytes, body: bytes = b"", *fields: bytes) -> bytes:
    """A reply of the service; `fields` are whole lines without their ends."""
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields, b"", body])


JSON, TEXT_PAGE = b"Content-Type: application/json", b"Content-Type: text/html"
SERVICE = {
    "/any/ok": answer(b"200 OK", b'{"a": 1}', JSON),
    "/any/text": answer(b"200 OK", b"a", b"Content-Type: text/plain"),
    "/any/none": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/any/moved": answer(b"302 Found", b"", b"Location: /elsewhere"),
    "/any/page": answer(b"200 OK", b"<p>", TEXT_PAGE),
    "/any/invalid": answer(b"422 Invalid", b'{"detail": [{"loc": ["query", "a"], "msg": "no"}]}', JSON),
    "/any/busy": answer(b"429 Busy", b"", b"Retry-After: 3"),
    "/any/broken": answer(b"500 Broken", b"<html>", TEXT_PAGE),
    "/raw/page": answer(b"200 OK", b"<p>", TEXT_PAGE),
    "/raw/gone": answer(b"410 Gone"),
    "/file/page": answer(b"200 OK", b"<p>", TEXT_PAGE),
    "/kept": answer(b"200 OK", b"{}", JSON, b'ETag: "a"'),
    "/once": answer(b"201 Created", b"{}", JSON),
}
"""What the service answers beside what its document says."""
EXPECTED = {
    "GET /api/pets": {200, 400},
    "POST /api/pets": {400, 429},
    "GET /api/pets/{petId}": {400, 404},
    "DELETE /api/pets/{petId}": {404},
}
"""Statuses that the requests must have led to, at least."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        built.service.on("/api/pets", reply(b'[{"id": 1, "name": "Rex", "kind": "dog"}]'))
        for path, sent in SERVICE.items():
            built.service.on(path, sent)
        yield built


def document() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "gateway.yaml"
        upstreams = SECTIONS["upstreams"].replace("{backend}", "9")
        file.write_text(f"version: 1\nupstreams: {upstreams}\nroutes:{SECTIONS['routes']}")
        return exported(load(file, {}), lambda name: load_document(name)[0])


DOCUMENT = document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)}
CHECKS: list[Any] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


TEXT = st.text("ab1-", min_size=1, max_size=8)
PETS_OF_ANY_KIND = st.fixed_dictionaries(
    {"name": st.text("ab 1", max_size=45), "kind": st.sampled_from(["dog", "cat", "cow"])},
    optional={
        "born": st.none() | st.dates().map(str) | TEXT,
        "weight": st.floats(-1, 5),
        "tags": st.lists(st.fixed_dictionaries({}, optional={"name": TEXT, "level": st.integers() | TEXT}), max_size=4),
    },
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "tag": st.lists(TEXT, min_size=1, max_size=3),
    "kinds": st.lists(st.sampled_from(["dog", "cow"]), min_size=1, max_size=3),
    "filter": st.fixed_dictionaries({}, optional={"name": TEXT, "age": st.integers() | TEXT}),
}


@st.composite
def cases(draw: st.DrawFn, operation: Any) -> Any:
    """Requests that are as the document says, and requests that are not."""
    described = DOCUMENT["paths"][operation.path][operation.method]
    drawn: dict[str, dict[str, Any]] = {"path": {}, "query": {}}
    for parameter in described.get("parameters", []):
        if parameter.get("in") in drawn and (parameter["required"] or draw(st.booleans())):
            values = VALUES.get(parameter["name"], st.integers(-2, 200) | TEXT)
            drawn[parameter["in"]][parameter["name"]] = draw(values)
    body = draw(PETS_OF_ANY_KIND | ANY) if "requestBody" in described else NOT_SET
    return operation.Case(
        path_parameters=drawn["path"],
        query=drawn["query"],
        body=body,
        media_type=None if body is NOT_SET else "application/json",
    )


@pytest.mark.parametrize("label", EXPECTED)
async def test_no_reply_is_undescribed(here: Front, label: str) -> None:
    operation = OPERATIONS[label]
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation))
    def ask(case: Any) -> None:
        answer = case.call(base_url=f"http://127.0.0.1:{here.gateway.port}", headers={"X-Api-Key": KEY})
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    await asyncio.to_thread(ask)
    assert EXPECTED[label] <= statuses
    assert 500 not in statuses


@pytest.mark.parametrize(
    ("label", "rests", "statuses", "fields"),
    [
        (
            "GET /any/{rest}",
            ["ok", "text", "none", "moved", "page", "invalid", "busy", "broken", "nothing"],
            [200, 200, 204, 302, 503, 422, 429, 500, 404],
            [],
        ),
        ("GET /raw/{rest}", ["page", "gone", "nothing"], [200, 410, 404], []),
        ("GET /file/{rest}", ["page", "nothing"], [200, 404], []),
        ("GET /kept", ["", ""], [200, 200], ["Age", "Cache-Status"]),
        ("POST /once", ["", ""], [201, 201], ["Idempotency-Replayed"]),
        ("GET /away", [""], [503], ["Retry-After"]),
    ],
)
async def test_what_a_service_answers_is_described(
    here: Front, label: str, rests: list[str], statuses: list[int], fields: list[str]
) -> None:
    operation = OPERATIONS[label]
    url, headers = f"http://127.0.0.1:{here.gateway.port}", {"X-Api-Key": KEY, "Idempotency-Key": "a"}
    answers = []
    for rest in rests:
        case = operation.Case(path_parameters={"rest": rest} if rest else {})
        answers.append(await asyncio.to_thread(case.call, base_url=url, headers=headers, allow_redirects=False))
        case.validate_response(answers[-1], checks=CHECKS)
    assert [each.status_code for each in answers] == statuses
    described = {name for each in operation.definition.raw["responses"].values() for name in _headers(each)}
    assert set(fields) <= described
    assert {name.lower() for name in fields} <= answers[-1].headers.keys()


def _headers(response: dict[str, Any]) -> set[str]:
    """The header fields of a response, which may be among the components."""
    named = response.get("$ref", "").rpartition("/")[2]
    return set((DOCUMENT["components"]["responses"][named] if named else response).get("headers", {}))
