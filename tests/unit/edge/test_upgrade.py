"""edge/upgrade.py, and what edge/connection.py does with a tunnel."""

from gateway.edge.upgrade import TunnelBytes, switching_head
from gateway.exchange import Reply


def test_the_head_of_a_reply_that_switches() -> None:
    reply = Reply(101, [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("X-A", "ü")], b"")
    assert switching_head(reply, "Date: now\r\n") == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-A: \xfc\r\nDate: now\r\n\r\n"
    )


async def test_the_bytes_of_a_client_are_counted_like_a_body() -> None:
    count = TunnelBytes(7)
    assert (count.received, count.length, count.waited_s, await count.read()) == (7, None, 0.0, b"")
