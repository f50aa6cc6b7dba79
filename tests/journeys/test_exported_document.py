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
SECTIONS = {"routes": ROUTES.text.partition("routes:")[2].partition("x-imported:")[0]}
EXAMPLES = 25
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
        yield built


def document() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "gateway.yaml"
        upstreams = 'upstreams: [{id: backend, targets: [{url: "http://127.0.0.1:9"}]}]'
        file.write_text(f"version: 1\n{upstreams}\nroutes:{SECTIONS['routes']}")
        return exported(load(file, {}), lambda name: load_document(name)[0])


DOCUMENT = document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]


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


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
async def test_no_reply_is_undescribed(here: Front, operation: Any) -> None:
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
    assert EXPECTED[operation.label] <= statuses
    assert 500 not in statuses
