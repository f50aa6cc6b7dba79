"""A proxy before Redis that refuses some commands: by an error, as Envoy does, or by closing, as twemproxy does."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hiredis

from gateway.redis_client.connection import pack
from tests.redis_server import RedisProcess

REFUSED = frozenset(
    {
        b"CLIENT",
        b"CLUSTER",
        b"EXEC",
        b"HELLO",
        b"INFO",
        b"MULTI",
        b"PUBLISH",
        b"SCRIPT",
        b"SELECT",
        b"SUBSCRIBE",
        b"TIME",
        b"UNWATCH",
        b"WATCH",
    }
)


@contextmanager
def proxy_before(server: RedisProcess, *, cuts: bool) -> Iterator[int]:
    """Its port. What it passes on is asked by a client of the test, one command after another."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            reader = hiredis.Reader()
            while data := self.request.recv(65536):
                reader.feed(data)
                while (command := reader.gets()) is not False:
                    if command[0].upper() not in REFUSED:
                        self.request.sendall(_spelled(server.ask(*command)))
                    elif cuts:
                        return
                    else:
                        self.request.sendall(b"-ERR unknown command '%b'\r\n" % command[0])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as proxy:
        proxy.daemon_threads = True
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy.server_address[1]
        finally:
            proxy.shutdown()
            thread.join()


def _spelled(reply: Any) -> bytes:
    """The few kinds of replies that tests ask for."""
    if isinstance(reply, bool):
        return b"+OK\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    return b"$-1\r\n" if reply is None else pack(reply).partition(b"\r\n")[2]
