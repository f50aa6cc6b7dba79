"""edge/write_progress.py: when a client is behind, and what it counts for then, without a network."""

import math

from gateway.edge.unread_replies import UnreadReplies
from gateway.edge.write_progress import PACE_AFTER_S
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import REPLY_NOT_TAKEN
from tests.fakes import until
from tests.samples import Pieces
from tests.unit.edge.listening import GET
from tests.unit.edge.recording import connected

LATER = 7.0 + 2 * PACE_AFTER_S


async def test_a_client_is_behind_until_it_has_taken_what_was_written() -> None:
    with connected() as (connection, transport):
        transport.buffered = 1000
        connection.pause_writing()
        transport.buffered = 400
        assert connection.pace(LATER) == 600 / (2 * PACE_AFTER_S)
        connection.resume_writing()
        assert connection.pace(LATER) == math.inf


async def test_what_waits_for_the_client_in_a_stream_is_counted_too() -> None:
    ended: list[Exchange] = []

    async def serve(x: Exchange, send: Send) -> None:
        stream = Pieces()
        stream.unread = 300
        x.reply = Reply(200, [], b"a", stream=stream)
        await send(x.reply)
        ended.append(x)

    with connected(serve) as (connection, transport):
        transport.buffered = 1000
        connection.pause_writing()
        connection.data_received(GET)
        await until(lambda: bool(transport.writes))
        assert connection._listener.unread.total == 1300
        connection.resume_writing()
        assert connection._listener.unread.total == 0
        await until(lambda: bool(ended))


async def test_a_client_that_leaves_too_much_unread_is_cut_at_once() -> None:
    cut: list[Exchange] = []

    async def serve(x: Exchange, send: Send) -> None:
        x.reply = Reply(200, [], b"a")
        try:
            await send(x.reply)
        finally:
            cut.append(x)

    with connected(serve) as (connection, transport):
        connection._listener.unread = UnreadReplies(100)
        transport.buffered = 1000
        connection.pause_writing()
        connection.data_received(GET * 2)
        assert transport.state == "aborted"
        connection.connection_lost(None)
        await until(lambda: bool(cut))
        assert cut[0].ended is not None
        assert cut[0].ended.fault is REPLY_NOT_TAKEN
