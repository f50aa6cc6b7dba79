"""What an operator finds of an exchange that failed."""

import asyncio
import json

from tests.fakes import reply
from tests.gateway_process import KEY
from tests.journeys.backends import ask, enveloped, front

SECTIONS = {
    "admin": '{address: "127.0.0.1:0", token: sesame}',
    "observability": "{log: {format: json}, capture: {on: [5xx, upstream_body_invalid], redact: ['$.card.number']}}",
}
TOKEN = {"Authorization": "Bearer sesame"}
ORDER = b'{"card": {"number": "4111", "name": "a"}, "password": "hush", "item": 7}'


async def test_what_was_sent_and_answered_is_there_without_secrets() -> None:
    async with front(**SECTIONS) as (service, gateway):
        service.on("/v1/a", reply(b'{"token": "hush", "left": 3', b"Set-Cookie: a=hush"))
        service.on("/v1/b", reply(b"{}"))
        lines = ("Content-Type: application/json", "Authorization: Bearer hush-hush")
        failed = enveloped(await ask(gateway, "POST", "/v1/a?pin=4711&x=1", *lines, body=ORDER))
        assert (await ask(gateway, "POST", "/v1/b", *lines, body=ORDER)).status == 200
        status, listed = await asyncio.to_thread(gateway.admin, "/captures", "GET", TOKEN)
        assert (status, [each["reason"] for each in json.loads(listed)["captures"]]) == (200, ["upstream_body_invalid"])
        path = f"/captures/{failed['requestId']}"
        status, shown = await asyncio.to_thread(gateway.admin, path, "GET", TOKEN)
        assert (await asyncio.to_thread(gateway.admin, path))[0] == 401
    assert status == 200
    assert KEY not in shown
    assert "hush" not in shown
    captured = json.loads(shown)
    assert (captured["status"], captured["route"], captured["path"], captured["query"]) == (
        503, "all", "/v1/a", "pin=***&x=1",
    )  # fmt: skip
    request, answer = captured["request"], captured["answer"]
    assert request["body"]["text"] == '{"card": {"number": "***", "name": "a"}, "password": "***", "item": 7}'
    assert ["authorization", "***"] in request["fields"]
    assert answer["body"]["text"] == '{"token": "***", "left": 3'
    assert ["set-cookie", "***"] in answer["fields"]
