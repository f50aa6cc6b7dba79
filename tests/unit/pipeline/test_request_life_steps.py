"""request_life.py: steps that only some routes have."""

from typing import Any

from gateway.exchange import Exchange, Reply
from tests.in_memory_gateway import GOOD, Client, gateway
from tests.samples import exchange, route


class Replying:
    """Stands in the place of the memory of idempotency keys."""

    def __init__(self) -> None:
        self.asked: list[Exchange] = []

    async def answer(self, x: Exchange, *_: object) -> Reply:
        self.asked.append(x)
        return Reply(200, [], b"{}")


async def test_a_route_with_idempotency_keys_asks_for_the_first_reply_to_methods_that_are_not_idempotent() -> None:
    rules: Any = object()
    known: Any = Replying()
    one, client = gateway(route(idempotency=rules)), Client()
    one.idempotency = known
    posted = exchange(GOOD, method="POST")
    for x in (posted, exchange(GOOD)):
        await one.handle(x, client.send)
    assert ([reply.status for reply in client.replies], known.asked) == ([200, 200], [posted])
