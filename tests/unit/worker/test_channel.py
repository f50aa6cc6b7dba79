import asyncio
import os

from gateway.worker.channel import (
    Channel,
    DisableKeepAlive,
    Message,
    QueryResult,
    Ready,
    Retire,
    Serve,
    StateHandedOver,
    content_of,
)
from tests.fakes import until


class End:
    """One end of a pair, and what arrived there."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.read: list[tuple[Message, list[int]]] = []
        self.ended = 0
        channel.start(lambda message, fds: self.read.append((message, fds)), self._end)

    def _end(self) -> None:
        self.ended += 1


async def test_messages_arrive_whole_and_in_order() -> None:
    ours, theirs = map(Channel, Channel.pair())
    end = End(theirs)
    sent: list[Message] = [Ready("<LocalLimiter>"), DisableKeepAlive(), Retire(2.5, successor=True), Serve()]
    for message in sent:
        ours.send(message)
    await until(lambda: len(end.read) == 4)
    assert [message for message, _ in end.read] == sent
    ours.close()
    await until(lambda: end.ended == 1)
    theirs.send(DisableKeepAlive())
    theirs.close()


async def test_a_file_goes_with_a_message() -> None:
    ours, theirs = map(Channel, Channel.pair())
    end = End(theirs)
    fd = os.memfd_create("legacy")
    os.write(fd, b"what I knew")
    ours.send(StateHandedOver(), fd)
    os.close(fd)
    await until(lambda: bool(end.read))
    ((message, (given,)),) = end.read
    assert (message, os.pread(given, 100, 0)) == (StateHandedOver(), b"what I knew")
    os.close(given)
    ours.close()
    theirs.close()


async def test_a_file_is_made_of_what_is_too_long_for_a_message() -> None:
    ours, theirs = map(Channel, Channel.pair())
    end = End(theirs)
    content = b"0123456789" * 100_000
    ours.send_file(QueryResult(3, 200), content)
    await until(lambda: bool(end.read))
    ((message, (given,)),) = end.read
    assert (message, content_of(given)) == (QueryResult(3, 200), content)
    ours.close()
    theirs.close()


async def test_what_arrived_before_the_end_can_still_be_read() -> None:
    ours, theirs = map(Channel, Channel.pair())
    end = End(theirs)
    ours.send(DisableKeepAlive())
    ours.close()
    theirs.drain()
    assert ([message for message, _ in end.read], end.ended) == ([DisableKeepAlive()], 1)
    await asyncio.sleep(0)
    theirs.close()
