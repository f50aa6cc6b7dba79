"""Makes the exchange of a request that was not sent, with the parser and the checks of the listener."""

import asyncio
from asyncio import AbstractEventLoop

import msgspec
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser

from gateway.edge.request_body import WholeBody
from gateway.edge.request_head import Peer, RequestHeadChecker, body_length
from gateway.exchange import Exchange

_READ_BUFFER_BYTES = 1 << 16


class DryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it is written for a dry run.

    `target` is the path and the query. `headers` are sent after Host. `key_id` names the key of the caller in place of
    its secret, "" for none. `client` is the address that connects, and `certificate_subject` the subject of its
    verified certificate, "" without one. `listener` is the id of the listener, "" for the first one that does not
    redirect.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    key_id: str = ""
    client: str = "127.0.0.1"
    certificate_subject: str = ""
    listener: str = ""

    def head(self, host: str, *more: tuple[str, str]) -> bytes:
        """Return the head in bytes. `host` is used unless the headers have a Host, and `more` follow them."""
        named = {name.lower() for name, _ in self.headers}
        fields = [("Host", host)] if "host" not in named else []
        fields += [*self.headers, *more]
        if self.body and "content-length" not in named:
            fields.append(("Content-Length", str(len(self.content))))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        return self.body.encode("utf-8", "surrogateescape")


def exchange_of(request: DryRequest, checker: RequestHeadChecker, peer: Peer, head: bytes) -> Exchange:
    """Return the exchange that a listener makes of `head` and the body of `request`, which `peer` has sent."""
    loop = asyncio.get_running_loop()
    parser = _parser(loop, checker)
    try:
        messages, _, rest = parser.feed_data(head)
    except Exception as error:  # whatever the parser raises, as in edge/request_reader.py
        return checker.error_exchange(checker.parse_error(error, head), peer)
    if len(messages) != 1 or rest:
        return checker.error_exchange(checker.parse_error(ValueError("more than one request"), head), peer)
    message = messages[0][0]
    x = checker.to_exchange(message, peer)
    if request.body and body_length(x.headers):
        x.body = WholeBody(request.content, checker.limits.body_bytes)
    return x


def _parser(loop: AbstractEventLoop, checker: RequestHeadChecker) -> HttpRequestParser:
    return HttpRequestParser(
        BaseProtocol(loop),
        loop,
        _READ_BUFFER_BYTES,
        max_line_size=checker.line_limit,
        max_field_size=checker.limits.header_bytes,
        auto_decompress=False,
    )
