"""The client side: reads an Exchange from a socket and writes its Reply, on aiohttp's low-level `web.Server`.

Of aiohttp's `RequestHandler` we keep the C parser, its queue and its back-pressure, and replace the loop that serves
requests. So the only object made for a request is the Exchange, malformed requests pass through the same pipeline as
all others, and no text, version or traceback of aiohttp reaches a client or a log.

The transport gives what it reads to `connection_core`, which serves plain requests that come one at a time, as almost
all do. It leaves everything else to `connection`, which goes on from there.

Laws: every request is answered before its connection closes. A connection closes after a request with a body in chunks,
because aiohttp's parser lets a trailer field become the first field of the next request; after a malformed request;
after a request that asks for another protocol; and when a part of a body was not read.
"""

from gateway.edge.listener import Listener

__all__ = ["Listener"]
