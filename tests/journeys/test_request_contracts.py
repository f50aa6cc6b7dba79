"""Requests are checked by the document of their API before they reach the service."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract_documents import DOCUMENTS
from tests.fakes import reply
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, counted, counts, enveloped, front
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNTED = "gw_test_key_whose_calls_are_counted"
_PETS = f"{{openapi: {DOCUMENTS}/pets.yaml, operation: %s}}"
SECTIONS = {
    "server": '{limits_path: /limits, drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0"}]}',
    "plans": """
- {id: unlimited, limits: []}
- {id: counted, limits: [{id: hour, max: 100, per: 1h}], quotas: [{id: pets, code: 8001, kind: count, max: 1, charge: [{routes: [pets.create]}]}]}
""",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: counted, secret_sha256: {digest(COUNTED)}, organizations: [acme], plan: counted}}
""",
    "routes": f"""
- {{id: pets.create, match: {{path: /v1/pets, methods: [POST]}}, upstream: backend, request: {_PETS % "createPet"}}}
- {{id: pets.list, match: {{path: /v1/pets, methods: [GET]}}, upstream: backend, request: {_PETS % "listPets, unknown_query: refuse"}}}
- {{id: pets.shadow, match: {{path: /v2/pets, methods: [POST]}}, upstream: backend, request: {_PETS % "createPet, mode: shadow"}}}
- {{id: pets.drift, match: {{path: /v3/pets}}, upstream: backend, response: {_PETS % "createPet, share: 100%"}}}
""",
}
JSON = "Content-Type: application/json"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        for path in ("/v1/pets", "/v2/pets"):
            built.service.on(path, reply())
        yield built


async def test_a_valid_body_reaches_the_service_byte_for_byte(here: Front) -> None:
    body = b' {"kind" : "dog",\r\n "name": "R\\u0065x", "weight": 1.50e1 }\n'
    assert (await ask(here.gateway, "POST", "/v1/pets", JSON, body=body)).status == 200
    assert here.service.at("/v1/pets")[-1].body == body
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    async with await RawClient.connect(here.gateway.port) as client:
        head = f"POST /v1/pets HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        await client.send(head.encode() + chunks)
        assert (await client.reply("POST")).status == 200
    assert here.service.at("/v1/pets")[-1].body == body


async def test_every_fault_at_once_and_nothing_reaches_the_service(here: Front) -> None:
    before = len(here.service.at("/v1/pets"))
    body = {"kind": "cow", "tags": [{"name": "a"}, {"level": "high"}, {"name": 5}]}
    answer = await ask(here.gateway, "POST", "/v1/pets", JSON, body=json.dumps(body).encode())
    data = enveloped(answer)["data"]
    assert (answer.status, data["code"]) == (400, 1001)
    assert {each["field"]: each["text"] for each in data["details"]} == {
        "body.kind": "This must be dog, cat or fish.",
        "body.name": "This is missing.",
        "body.tags[1].name": "This is missing.",
        "body.tags[1].level": "This must be a whole number.",
        "body.tags[2].name": "This must be a text.",
    }
    assert {"in": "body", "pointer": "/tags/2/name"} in [each["more"] for each in data["details"]]
    missing = await ask(here.gateway, "POST", "/v1/pets", JSON, body=b'{"kind": "cat"}')
    assert (missing.status, enveloped(missing)["data"]["code"]) == (400, 1000)
    query = await ask(here.gateway, "GET", "/v1/pets?limit=1000&colour=red")
    assert {each["field"] for each in enveloped(query)["data"]["details"]} == {"query.colour", "query.limit"}
    assert len(here.service.at("/v1/pets")) == before
    record = await here.gateway.record("gateway.request.faults", 5)
    assert (record["gateway.reason"], record["gateway.code"]) == ("request_invalid", 1001)
    assert counted(here.gateway, "gateway_requests_at_fault_total", route="pets.create", mode="enforce") == 2


async def test_a_request_that_is_refused_costs_a_rate_and_no_quota(here: Front) -> None:
    await ask(here.gateway, "POST", "/v1/pets", JSON, body=b"{}", key=COUNTED)
    answer = await ask(here.gateway, "POST", "/v1/pets", JSON, body=b"{}", key=COUNTED)
    assert answer.status == 400
    assert answer.field("X-RateLimit-Remaining-Hour") == "98"
    (quota,) = enveloped(await ask(here.gateway, "GET", "/limits", key=COUNTED))["data"]["result"]["quotas"]
    assert quota["used"] == 0
    good = await ask(here.gateway, "POST", "/v1/pets", JSON, body=b'{"name":"Rex","kind":"dog"}', key=COUNTED)
    assert good.status == 200


async def test_shadow_mode_lets_through_and_counts(here: Front) -> None:
    answer = await ask(here.gateway, "POST", "/v2/pets", JSON, body=b'{"kind":1}')
    assert answer.status == 200
    assert here.service.at("/v2/pets")[-1].body == b'{"kind":1}'
    record = await here.gateway.record("http.route", "pets.shadow")
    assert record["gateway.request.faults"] == 2
    assert counted(here.gateway, "gateway_requests_at_fault_total", route="pets.shadow", mode="shadow") == 1


async def test_drift_of_a_service_is_counted_logged_and_shown(here: Front) -> None:
    pet = b'{"id": 7, "name": "Rex", "kind": "dog", "tags": [{"level": "%d"}, {"name": "a", "level": 1.5}]}'
    good = b'{"id": 7, "name": "Rex", "kind": "dog"}'
    answers = []
    for status, body in ((201, good), (201, pet % 71077345), (201, pet % 71077345), (202, b"{}")):
        here.service.on("/v3/pets", reply(body, status=b"%d Created" % status))
        answers.append(await ask(here.gateway, "POST", "/v3/pets", JSON, body=b"{}"))
    assert [answer.status for answer in answers] == [201, 201, 201, 202]
    assert (await ask(here.gateway, "GET", "/v3/pets")).status == 202
    await counts(here.gateway, "gateway_replies_checked_total", 4)
    assert counted(here.gateway, "gateway_replies_checked_total", route="pets.drift", result="as_described") == 1
    assert counted(here.gateway, "gateway_reply_drift_total", route="pets.drift", kind="type") == 2
    found = {(each["kind"], each["at"]): each for each in json.loads(here.gateway.admin("/drift")[1])["drift"]}
    assert {key: each["times"] for key, each in found.items()} == {
        ("missing", "/tags/*/name"): 2,
        ("type", "/tags/*/level"): 2,
        ("status", ""): 1,
    }
    assert found["status", ""]["request_id"] == answers[3].field("X-Request-Id")
    await here.gateway.line(lambda line: '"kind":"status"' in line)
    logged = [line for line in here.gateway.lines if "a reply is not as its document describes it" in line]
    assert len(logged) == len(found)
    assert "71077345" not in json.dumps([logged, list(found.values())])


async def test_details_repeat_no_key(here: Front) -> None:
    answer = await ask(here.gateway, "GET", f"/v1/pets?x{KEY}=1&filter[{KEY}]=1")
    assert KEY.encode() not in answer.body
