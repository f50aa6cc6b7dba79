"""request_life.py: what is done with whole replies."""

import gzip
import json

from structlog.testing import capture_logs

from gateway.kernel.http.compression import CompressionRules
from gateway.upstream.call import Answer
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
