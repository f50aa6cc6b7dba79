"""pipeline.py: a large body is in memory once while its reply is sent."""

import json

from tests.answers import JSON, answer_of
from tests.samples import Echo, exchange, route
from tests.spine import GOOD, gateway


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
