"""net/write_batch.py: the writes of one iteration of the event loop."""

import asyncio

from gateway.net.write_batch import WriteBatch


class Transport(asyncio.WriteTransport):
    """Records what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing


async def turn() -> None:
    """Wait for one iteration of the event loop."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(done.set)
    await done.wait()


async def test_writes_are_sent_in_order_at_the_end_of_the_iteration() -> None:
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


async def test_a_flush_sends_everything_at_once() -> None:
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
