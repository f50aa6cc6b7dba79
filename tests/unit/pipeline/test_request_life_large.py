"""request_life.py: a large body is in memory once while its reply is sent."""

import json

from gateway.capture.capturer import Capturer, CaptureRules
from gateway.capture.captures import Captures
from tests.answers import JSON, answer_of
from tests.in_memory_gateway import GOOD, gateway
from tests.samples import Echo, exchange, route


async def test_the_body_of_a_large_answer_is_released_before_its_reply_is_sent() -> None:
    text = json.dumps(["a" * 80_000]).encode()
    answer = answer_of(text, JSON)
    x, sent = exchange(GOOD), list[bytes]()

    async def send(reply: object) -> int:
        assert x.reply is reply
        assert x.reply is not None
        assert answer.body == b""
        sent.append(x.reply.body + x.reply.content + x.reply.tail)
        return len(sent[0])

    await gateway(route(upstream=Echo(answer))).handle(x, send)
    assert json.loads(sent[0])["data"]["result"] == ["a" * 80_000]


async def test_the_start_of_a_large_body_that_is_no_json_is_captured() -> None:
    one, captures = gateway(route(upstream=Echo(answer_of(b"[" + b"1" * 80_000, JSON)))), Captures()
    one.recorder.capture = Capturer(CaptureRules(["upstream_body_invalid"], 1.0, 64, (), ()), captures, lambda: 1.0)
    one.read_ahead.kept_bytes = one.recorder.capture.kept_bytes
    x = exchange(GOOD)

    async def send(_: object) -> int:
        assert x.answer is not None
        assert len(x.answer.body) == one.read_ahead.kept_bytes
        return 0

    await one.handle(x, send)
    found = captures.find(x.request_id)
    assert found is not None
    assert found.answer is not None
    assert found.answer.body is not None
    assert found.answer.body.text == "[" + "1" * 63
