"""net/write_batch.py: one turn of the loop, one burst of writes."""

import asyncio

from gateway.net.write_batch import WriteBatch


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
    write_batch, one, two = WriteBatch(), Transport(), Transport()
    for data in (b"a", b"b"):
        write_batch.put(one, data)
        write_batch.put(two, data)
    assert one.written == []
    await turn()
    assert one.written == two.written == [b"a", b"b"]
    write_batch.put(one, b"c")
    await turn()
    assert one.written == [b"a", b"b", b"c"]


async def test_a_flush_leaves_nothing_for_later() -> None:
    write_batch, one = WriteBatch(), Transport()
    write_batch.put(one, b"a")
    write_batch.flush()
    assert one.written == [b"a"]
    await turn()
    assert one.written == [b"a"]


async def test_a_connection_that_has_closed_is_passed_over() -> None:
    write_batch, one, two = WriteBatch(), Transport(), Transport()
    write_batch.put(one, b"a")
    write_batch.put(two, b"a")
    one.closing = True
    await turn()
    assert (one.written, two.written) == ([], [b"a"])
