"""The gateway serves the OpenAPI document of its routes: `server.openapi_path`."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import yaml
from openapi_spec_validator import validate

from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, counted, enveloped, front

pytestmark = pytest.mark.asyncio(loop_scope="module")

NARROW = "gw_test_key_that_may_only_read_orders"
PATH = "/openapi.json"
SECTIONS = {
    "server": f'{{openapi_path: {PATH}, drain_delay: 0s, listeners: [{{id: public, address: "127.0.0.1:0"}}]}}',
    "plans": "[{id: some, limits: [{id: hour, max: 40, per: 1h}]}, {id: few, limits: [{id: hour, max: 2, per: 1h}]}]",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: some}}
- {{id: narrow, secret_sha256: {digest(NARROW)}, organizations: [acme], plan: few, routes: [orders], methods: [GET]}}
""",
    "routes": """
- {id: orders, match: {path: /orders, methods: [GET, POST]}, upstream: backend}
- {id: bills, match: {path: /bills, methods: [GET]}, upstream: backend}
- {id: open, match: {prefix: /, methods: [GET]}, upstream: backend, auth: none}
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        yield built


async def test_a_caller_is_shown_what_its_key_may_use(here: Front) -> None:
    answer = await ask(here.gateway, "GET", PATH)
    document = json.loads(answer.body)
    validate(document)
    assert (answer.status, answer.field("Content-Type")) == (200, "application/json")
    assert set(document["paths"]) == {"/orders", "/bills", "/{rest}"}
    assert set(document["paths"]["/orders"]) == {"get", "post"}
    assert (answer.field("Vary"), answer.field("Cache-Control")) == ("X-Api-Key", "private, no-cache")
    assert answer.field("X-RateLimit-Remaining-Hour") == "39"
    as_yaml = await ask(here.gateway, "GET", "/openapi.yaml")
    assert (as_yaml.field("Content-Type"), yaml.safe_load(as_yaml.body)) == ("application/yaml", document)
    in_query = await ask(here.gateway, "GET", f"{PATH}?X-Api-Key={KEY}", key=None)
    assert in_query.body == answer.body


async def test_without_a_key_only_what_needs_none(here: Front) -> None:
    answer = await ask(here.gateway, "GET", PATH, key=None)
    assert (answer.status, set(json.loads(answer.body)["paths"])) == (200, {"/{rest}"})
    assert answer.field("X-RateLimit-Limit-Minute") == "300"
    refused = await ask(here.gateway, "GET", PATH, key="gw_unknown")
    assert (refused.status, enveloped(refused)["data"]["code"]) == (401, 1002)


async def test_conditional_requests_and_head(here: Front) -> None:
    first = await ask(here.gateway, "GET", PATH)
    tag = first.field("ETag")
    known = await ask(here.gateway, "GET", PATH, f"If-None-Match: {tag}")
    assert (known.status, known.body, known.field("ETag")) == (304, b"", tag)
    head = await ask(here.gateway, "HEAD", PATH)
    assert (head.status, head.body, head.field("ETag")) == (200, b"", tag)
    assert head.field("Content-Length") == str(len(first.body))
    posted = await ask(here.gateway, "POST", PATH)
    assert (posted.status, enveloped(posted)["data"]["code"], posted.field("Allow")) == (405, 1006, "GET, HEAD")


async def test_the_limits_of_the_caller_hold_and_the_record_names_it(here: Front) -> None:
    answers = [await ask(here.gateway, "GET", PATH, key=NARROW) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    shown = json.loads(answers[0].body)
    assert {path: set(operations) for path, operations in shown["paths"].items()} == {
        "/orders": {"get"},
        "/{rest}": {"get"},
    }
    assert "some" not in shown["info"]["description"]
    assert enveloped(answers[2])["data"]["code"] == 8000
    record = await here.gateway.record("request_id", answers[0].field("X-Request-Id"))
    assert (record["http.route"], record["gateway.key_id"]) == ("gateway.openapi", "narrow")
    labels = {"route": "gateway.openapi", "method": "GET", "code": "429"}
    assert counted(here.gateway, "gateway_requests_total", **labels) == 1
    assert here.service.at(PATH) == []
