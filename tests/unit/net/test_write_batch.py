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


async def test_what_has_to_happen_before_writes_happens_once_and_before_the_first() -> None:
    write_batch, one = WriteBatch(), Transport()
    seen: list[list[bytes]] = []
    write_batch.put(one, b"a")
    write_batch.before_writes(lambda: seen.append([*one.written]))
    assert seen == []
    write_batch.flush()
    assert (seen, one.written) == ([[]], [b"a"])
    write_batch.put(one, b"b")
    await turn()
    assert (len(seen), one.written) == (1, [b"a", b"b"])


async def test_it_happens_before_writes_that_wait_for_the_end_of_the_iteration() -> None:
    write_batch, one = WriteBatch(), Transport()
    seen: list[list[bytes]] = []
    write_batch.put(one, b"a")
    write_batch.before_writes(lambda: seen.append([*one.written]))
    await turn()
    assert (seen, one.written) == ([[]], [b"a"])


def test_it_happens_at_once_where_nothing_waits() -> None:
    write_batch = WriteBatch()
    seen: list[str] = []
    write_batch.before_writes(lambda: seen.append("now"))
    assert seen == ["now"]
