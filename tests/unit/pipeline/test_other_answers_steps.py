"""other_answers.py: steps between the limiter and the service that only some routes have."""

from pathlib import Path
from typing import Any

from gateway.exchange import Exchange, Reply
from gateway.table import RouteTable
from tests.contract_documents import contract
from tests.in_memory_gateway import GOOD, Client, answered, gateway
from tests.samples import Echo, Pieces, exchange, route

PET = b'{"name": "Rex", "kind": "dog"}'
JSON = [("Content-Type", "application/json")]


class Replying:
    """Stands in the place of the cache."""

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
