"""pipeline.py: steps that only some routes have."""

import json
from pathlib import Path
from typing import Any

from gateway.exchange import Exchange, Reply
from gateway.net.static_files import static_file
from gateway.openapi.publish.exporting import PublishedDocument
from gateway.settings import parse
from gateway.table import RouteTable
from tests.contract_documents import contract
from tests.in_memory_gateway import GOOD, Client, answered, gateway
from tests.samples import Echo, Pieces, exchange, route

PET = b'{"name": "Rex", "kind": "dog"}'
JSON = [("Content-Type", "application/json")]
DOCUMENT = """
version: 1
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
routes: [{id: orders, upstream: orders, match: {path: /v1/orders, methods: [GET]}, auth: none}]
"""


class Replying:
    """Stands in the place of the cache, or of the memory of idempotency keys."""

    def __init__(self) -> None:
        self.asked: list[Exchange] = []
        self.kept: Reply | None = None

    def tariff(self, *_: object) -> None:
        """Ask nothing on top."""

    def at_once(self, *_: object) -> Reply | None:
        return self.kept

    async def answer(self, x: Exchange, *_: object) -> Reply:
        self.asked.append(x)
        return Reply(200, [], b"{}")


async def test_a_request_is_validated_and_what_it_has_reserved_released(tmp_path: Path) -> None:
    create = contract(tmp_path, "{openapi: pets.yaml, operation: createPet, unknown_fields: refuse, max_body: 200KiB}")
    echo = Echo()
    one = gateway(route("/v1/pets", upstream=echo, request=create))
    for content, status, calls in ((b'{"name": 1}', 400, 0), (PET, 200, 1)):
        body: Any = Pieces(content, length=len(content))
        x = exchange([*GOOD, *JSON], method="POST", path="/v1/pets", body=body)
        assert (await answered(one, x))[0] == status
        assert (len(echo.calls), one.read_ahead.reserved) == (calls, 0)


async def test_a_reply_from_the_cache_releases_what_was_read_of_the_request() -> None:
    caching: Any = object()
    cache: Any = Replying()
    one, client, x = gateway(), Client(), exchange(GOOD)
    one.table = RouteTable([route(caching=caching)])
    one.cache = cache
    assert one.read_ahead.reserve(x, 5)
    await one.handle(x, client.send)
    assert ([reply.status for reply in client.replies], cache.asked) == ([200], [x])
    assert one.read_ahead.reserved == 0
    cache.kept = Reply(200, [], b"[]")
    await one.handle(exchange(GOOD), client.send)
    assert ([reply.body for reply in client.replies], len(cache.asked)) == ([b"{}", b"[]"], 1)


async def test_a_route_with_idempotency_keys_asks_for_the_first_reply_to_methods_that_are_not_idempotent() -> None:
    rules: Any = object()
    known: Any = Replying()
    one, client = gateway(route(idempotency=rules)), Client()
    one.idempotency = known
    posted = exchange(GOOD, method="POST")
    for x in (posted, exchange(GOOD)):
        await one.handle(x, client.send)
    assert ([reply.status for reply in client.replies], known.asked) == ([200, 200], [posted])


async def test_a_route_may_answer_with_the_document_of_the_interface() -> None:
    one, client = gateway(route(upstream=None, document=PublishedDocument(parse(DOCUMENT), {}))), Client()
    await one.handle(exchange(GOOD), client.send)
    assert "/v1/orders" in json.loads(client.replies[0].body)["paths"]


async def test_a_route_may_answer_with_a_file() -> None:
    file = static_file("page.html", b"<p>")
    one, client = gateway(route(upstream=None, file=file)), Client()
    await one.handle(exchange(GOOD), client.send)
    assert (client.replies[0].status, client.replies[0].body) == (200, b"<p>")


async def test_a_route_may_show_a_caller_its_own_key_at_the_usual_cost() -> None:
    class OwnKey:
        async def show(self, key_id: str) -> dict[str, str]:
            return {"id": key_id}

    one, client = gateway(route(upstream=None, tariff=None, self_service=OwnKey())), Client()
    x = exchange(GOOD)
    await one.handle(x, client.send)
    assert json.loads(client.replies[0].body)["data"]["result"] == {"id": "acme-ci"}
    assert x.decision is not None
    assert (x.peeked, x.decision.states[0].used) == (False, 1)
