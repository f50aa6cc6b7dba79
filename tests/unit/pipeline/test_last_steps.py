"""last_steps.py: what is done with whole replies, and that a large body is in memory once while its reply is sent."""

import gzip
import json

from structlog.testing import capture_logs

from gateway.capture.capturer import Capturer, CaptureRules
from gateway.capture.captures import Captures
from gateway.kernel.http.compression import CompressionRules
from gateway.kernel.http.cors import cors_policy
from gateway.table.cors import CrossOrigin
from gateway.upstream.call import Answer
from tests.answers import JSON, answer_of
from tests.in_memory_gateway import GOOD, Client, gateway
from tests.samples import Echo, exchange, route

COMPRESSED = CompressionRules(("gzip",), 0)
ACCEPTED = [*GOOD, ("Accept-Encoding", "gzip")]


async def test_replies_of_a_route_are_compressed_and_those_without_a_route() -> None:
    echo = Echo(
        Answer(200, [(b"content-type", b"application/json")], b"[%b]" % b",".join([b"1"] * 500), None, 1001, "t")
    )
    one, client = gateway(route(compression=COMPRESSED, upstream=echo)), Client()
    one.table.compression = COMPRESSED
    await one.handle(exchange(ACCEPTED), client.send)
    await one.handle(exchange(ACCEPTED, path="/nowhere"), client.send)
    bodies = [json.loads(gzip.decompress(reply.body)) for reply in client.replies]
    assert [body["status"] for body in bodies] == ["SUCCESS", "ERROR"]


async def test_a_bug_in_compression_costs_no_reply() -> None:
    one, client = gateway(route(compression=CompressionRules((), 0))), Client()
    with capture_logs() as logs:
        await one.handle(exchange(ACCEPTED), client.send)
    assert json.loads(client.replies[0].body)["status"] == "SUCCESS"
    assert [line["event"] for line in logs] == ["bug"]


async def test_pages_may_read_replies_of_the_routes_that_say_so_and_of_no_others() -> None:
    policy = cors_policy(
        ("https://a.example",), methods=("GET",), headers=(), expose=(), credentials=False, max_age_s=0
    )
    routes = route("/a", id="a", cors=policy), route("/b", id="b")
    one, client = gateway(*routes), Client()
    one.table.cross_origin = CrossOrigin(None, (), None)
    for path in ("/a", "/b"):
        await one.handle(exchange([*GOOD, ("Origin", "https://a.example")], path=path), client.send)
    allowed = [dict(reply.fields).get("Access-Control-Allow-Origin") for reply in client.replies]
    assert allowed == ["https://a.example", None]


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
