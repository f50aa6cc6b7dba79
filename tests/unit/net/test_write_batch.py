"""net/write_batch.py: one turn of the loop, one burst of writes."""

import asyncio

from gateway.net.write_batch import Outbox


class Transport(asyncio.WriteTransport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing


async def turn() -> None:
    """Let everything run that is due now."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(done.set)
    await done.wait()


async def test_what_is_put_in_leaves_in_order_at_the_end_of_the_turn() -> None:
    outbox, one, two = Outbox(), Transport(), Transport()
    for data in (b"a", b"b"):
        outbox.put(one, data)
        outbox.put(two, data)
    assert one.written == []
    await turn()
    assert one.written == two.written == [b"a", b"b"]
    outbox.put(one, b"c")
    await turn()
    assert one.written == [b"a", b"b", b"c"]


async def test_a_flush_leaves_nothing_for_later() -> None:
    outbox, one = Outbox(), Transport()
    outbox.put(one, b"a")
    outbox.flush()
    assert one.written == [b"a"]
    await turn()
    assert one.written == [b"a"]


async def test_a_connection_that_has_closed_is_passed_over() -> None:
    outbox, one, two = Outbox(), Transport(), Transport()
    outbox.put(one, b"a")
    outbox.put(two, b"a")
    one.closing = True
    await turn()
    assert (one.written, two.written) == ([], [b"a"])
