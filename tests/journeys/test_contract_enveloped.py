"""Ids, backends that speak the envelope, and what backends announce: rules 2, 6 and 9 as a client sees them."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import reply
from tests.journeys.backends import Front, ask, clients, enveloped, fields, front, requesting

pytestmark = pytest.mark.asyncio(loop_scope="module")

THEIR_ID = "11111111-2222-4333-8444-555555555555"
ROUTES = """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: wrapped, match: {prefix: /wrap}, upstream: backend, envelope: {mode: wrap}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(routes=ROUTES) as built:
        yield built


def speaking(status: str, data: object, **more: object) -> bytes:
    return json.dumps({"requestId": THEIR_ID, "status": status, "data": data, **more}).encode()


async def test_ids_are_unique_and_the_same_everywhere(here: Front) -> None:
    path = here.service.on("/v1/ids", reply(b"{}", b"X-Request-Id: theirs"))
    async with clients(here.gateway, 8) as opened:

        async def twenty_five(number: int) -> list[str]:
            found = []
            for _ in range(25):
                await opened[number].send(requesting("GET", path, "X-Request-Id: mine"))
                found.append(str(enveloped(await opened[number].reply())["requestId"]))
            return found

        ids = [each for some in await asyncio.gather(*map(twenty_five, range(8))) for each in some]
    assert len(set(ids)) == 200
    assert sorted(ids) == sorted(fields(request, "X-Request-Id")[0] for request in here.service.at(path))
    for each in ids[:3]:
        assert (await here.gateway.record("request_id", each))["upstream_request_id"] == "theirs"


async def test_an_enveloped_reply_keeps_its_data_and_more_and_gets_our_id(here: Front) -> None:
    message = {"id": THEIR_ID, "type": "INFO", "text": "Done", "date": "2016-06-25T20:09:23.69Z"}
    data = {"result": {"id": "a"}, "messages": [message]}
    path = here.service.on(
        "/v1/kept", reply(speaking("SUCCESS", data, more={"trace": [1, 2]}), b"X-Request-Id: " + THEIR_ID.encode())
    )
    envelope = enveloped(await ask(here.gateway, "GET", path))
    assert (envelope["data"], envelope["more"]) == (data, {"trace": [1, 2]})
    assert envelope["requestId"] != THEIR_ID
    assert (await here.gateway.record("request_id", envelope["requestId"]))["upstream_request_id"] == THEIR_ID


@pytest.mark.parametrize("code", [1001, 2000, 3001, 4004, 6100, 8003])
async def test_an_enveloped_error_keeps_its_code_and_texts(here: Front, code: int) -> None:
    links = [{"href": "https://example.com/why", "title": "Why"}]
    details = [{"id": THEIR_ID, "type": "ERROR", "text": "too small", "field": "width"}]
    data = {"code": code, "message": "No", "developerMessage": "Because", "links": links, "details": details}
    path = here.service.on("/v1/refused", reply(speaking("ERROR", data), status=b"409 Conflict"))
    answer = await ask(here.gateway, "GET", path)
    assert (answer.status, enveloped(answer)["data"]) == (409, data)
    record = await here.gateway.record("request_id", answer.field("X-Request-Id"))
    assert (record["gateway.code"], record["gateway.source"]) == (code, "upstream")


async def test_an_error_wins_over_http_200(here: Front) -> None:
    data = {"code": 1001, "message": "No", "developerMessage": "Because"}
    path = here.service.on("/v1/liar", reply(speaking("ERROR", data)))
    answer = await ask(here.gateway, "GET", path)
    assert (answer.status, enveloped(answer)["data"]["code"]) == (400, 1001)


@pytest.mark.parametrize(
    ("code", "status", "needed"),
    [
        (1002, 401, "WWW-Authenticate"),
        (1006, 405, "Allow"),
        (8000, 429, "Retry-After"),
        (8004, 429, "Retry-After"),
        (9999, 503, "Retry-After"),
    ],
)
async def test_an_error_over_http_200_gets_the_status_of_its_code(
    here: Front, code: int, status: int, needed: str
) -> None:
    path = here.service.on(
        "/v1/liar", reply(speaking("ERROR", {"code": code, "message": "No", "developerMessage": "Because"}))
    )
    answer = await ask(here.gateway, "GET", path)
    assert (answer.status, enveloped(answer)["data"]["code"]) == (status, code)
    assert answer.field(needed)


async def test_an_http_error_wins_over_success(here: Front) -> None:
    path = here.service.on("/v1/liar", reply(speaking("SUCCESS", {"result": {}}), status=b"500 Internal Server Error"))
    answer = await ask(here.gateway, "GET", path)
    assert (answer.status, enveloped(answer)["data"]["code"]) == (500, 1004)


@pytest.mark.parametrize(
    "data",
    [
        {"code": "1001", "message": "", "developerMessage": None, "links": None, "details": None},
        {
            "code": 1001.0,
            "message": "No",
            "links": [{"href": "https://example.com"}],
            "details": [{"text": "only text"}],
        },
        {
            "code": 1001,
            "message": "No",
            "developerMessage": "No",
            "details": [{"text": "x", "type": "FATAL", "date": "yesterday"}],
        },
        {},
        None,
        "text",
    ],
)
async def test_a_sloppy_error_envelope_is_repaired(here: Front, data: object) -> None:
    path = here.service.on("/v1/sloppy", reply(speaking("ERROR", data), status=b"400 Bad Request"))
    answer = await ask(here.gateway, "GET", path)
    assert (answer.status, enveloped(answer)["status"]) == (400, "ERROR")


@pytest.mark.parametrize(
    "data",
    [{}, None, [], {"result": None}, {"messages": None, "result": 1}, {"result": 1, "messages": [{"text": "x"}]}],
)
async def test_a_sloppy_success_envelope_is_repaired(here: Front, data: object) -> None:
    path = here.service.on("/v1/sloppy", reply(speaking("SUCCESS", data)))
    assert enveloped(await ask(here.gateway, "GET", path))["status"] == "SUCCESS"


@pytest.mark.parametrize(
    "resource",
    [
        {"id": "a", "status": "ERROR"},
        {"requestId": "a", "status": "ERROR", "name": "n"},
        {"status": "SUCCESS", "data": {"result": 1}},
        {"requestId": "a", "status": "FINISHED", "data": {}},
        {"requestId": "a", "status": None, "data": {}},
        {"envelope": {"requestId": "a", "status": "SUCCESS", "data": {}}},
    ],
)
async def test_a_resource_is_no_envelope(here: Front, resource: object) -> None:
    path = here.service.on("/v1/resource", reply(json.dumps(resource).encode()))
    assert enveloped(await ask(here.gateway, "GET", path))["data"]["result"] == resource


async def test_a_route_may_wrap_whatever_comes(here: Front) -> None:
    path = here.service.on("/wrap/x", reply(speaking("SUCCESS", {"result": 1})))
    assert enveloped(await ask(here.gateway, "GET", path))["data"]["result"] == json.loads(
        speaking("SUCCESS", {"result": 1})
    )


ANNOUNCED = [
    b"Deprecation: @1688169599",
    b"Sunset: Sun, 30 Jun 2024 23:59:59 GMT",
    b'Warning: 299 - "Field \\"rate\\" is going away"',
    b'Link: <https://example.com/deprecated>; rel="deprecation", <https://example.com/sunset>; rel="sunset"; title="When"',
]


@pytest.mark.parametrize("body", [b"{}", speaking("SUCCESS", {"result": {}})], ids=["raw", "enveloped"])
async def test_announcements_become_messages(here: Front, body: bytes) -> None:
    path = here.service.on("/v1/old", reply(body, *ANNOUNCED))
    messages = enveloped(await ask(here.gateway, "GET", path))["data"]["messages"]
    assert [message["type"] for message in messages] == ["WARNING"] * 3
    assert messages[0]["links"] == [{"href": "https://example.com/deprecated", "title": "Deprecation"}]
    assert messages[1]["links"] == [{"href": "https://example.com/sunset", "title": "When"}]
    assert (messages[0]["date"], messages[1]["date"]) == ("2023-06-30T23:59:59Z", "2024-06-30T23:59:59Z")
    assert messages[2]["text"] == 'Field "rate" is going away'


async def test_an_enveloped_reply_keeps_its_own_messages_beside_the_announced(here: Front) -> None:
    message = {"id": THEIR_ID, "type": "INFO", "text": "Done"}
    path = here.service.on("/v1/both", reply(speaking("SUCCESS", {"result": 1, "messages": [message]}), ANNOUNCED[0]))
    messages = enveloped(await ask(here.gateway, "GET", path))["data"]["messages"]
    assert message in messages
    assert [each["type"] for each in messages if each != message] == ["WARNING"]
