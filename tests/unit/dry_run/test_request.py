"""dry_run/request.py: the exchange of a request that nobody has sent."""

import pytest

from gateway.dry_run.request import DryRequest, exchange_of
from gateway.edge.request_head import HeadLimits, Peer, RequestHeadChecker
from gateway.exchange import Exchange
from gateway.kernel.ids import Ids

CHECKER = RequestHeadChecker(
    HeadLimits(16384, 64, 100_000, 10.0, 30.0, 75.0, 1), [], Ids(lambda n: bytes(range(256)) * (n // 256)), lambda: 0.0
)
PEER = Peer("192.0.2.1", "http", trusted=False)


async def made(request: DryRequest) -> Exchange:
    return exchange_of(request, CHECKER, PEER, request.head("h"))


async def test_the_exchange_has_what_was_written() -> None:
    x = await made(DryRequest(method="POST", target="/a?b=1", headers=(("X-A", "é"),), body="{}"))
    assert (x.method, x.path, x.query, x.host, x.client, x.head_error) == ("POST", "/a", "b=1", "h", "192.0.2.1", None)
    assert x.headers.raw == ((b"Host", b"h"), (b"X-A", "é".encode()), (b"Content-Length", b"2"))
    assert x.body is not None
    assert (await x.body.read(), await x.body.read(), x.body.received, x.body.length) == (b"{}", b"", 2, 2)


async def test_host_and_length_may_be_written() -> None:
    x = await made(DryRequest(method="GET", target="/", headers=(("host", "api.example.com"), ("Content-Length", "0"))))
    assert (x.host, x.body) == ("api.example.com", None)


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (DryRequest(method="GET", target="/a b"), "malformed_request"),
        (DryRequest(method="G(T", target="/"), "malformed_request"),
        (DryRequest(method="BREW", target="/"), "method_not_allowed"),
        (DryRequest(method="GET", target="/" + "a" * 64), "url_too_long"),
        (
            DryRequest(method="GET", target="/", headers=(("A", "b\r\n\r\nGET / HTTP/1.1\r\nHost: h"),)),
            "malformed_request",
        ),
        (
            DryRequest(method="GET", target="/", headers=(("Transfer-Encoding", "gzip, chunked"),)),
            "transfer_coding_unsupported",
        ),
    ],
)
async def test_what_the_listener_refuses_is_refused(request_: DryRequest, fault: str) -> None:
    x = await made(request_)
    assert x.head_error is not None
    assert x.head_error.fault.name == fault
