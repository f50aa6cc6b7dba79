"""The client side: socket -> Exchange, Reply -> socket, on aiohttp's low-level `web.Server`.

Of aiohttp's `RequestHandler` we keep the C parser, its queue and its back-pressure, and replace the loop that serves
requests. So nothing is made per request but the Exchange, malformed requests go through the same pipeline as all
others, and no text, version or traceback of aiohttp's reaches a client or a log.

Laws: a connection closes after a request whose body came in chunks (aiohttp's parser lets a trailer field become the
first field of the next request); after anything malformed; after a request that asked for another protocol; and when
a body was left unread. Every request is answered before that.
"""

from gateway.edge.listener import Listener

__all__ = ["Listener"]
