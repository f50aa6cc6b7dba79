"""kernel/headers.py: what goes on and what stays."""

import pytest

from gateway.kernel import headers
from gateway.kernel.headers import FieldFilter, connection_options


@pytest.mark.parametrize(
    "name", [b"Accept", b"content-type", b"X-Custom", b"my_header", b"my.header", b"Authorization", b"Via", b"Cookie", b"Proxyish"]
)
def test_ordinary_fields_pass(name: bytes) -> None:
    assert FieldFilter([])[name]


@pytest.mark.parametrize(
    "name",
    [
        b"Connection", b"TE", b"Transfer-Encoding", b"Transfer_Encoding", b"Content-Length", b"Host", b"Expect", b"Upgrade", b"Proxy",
        b"X-Original-URL", b"x_rewrite_url", b"X-HTTP-Method-Override", b"True-Client-IP", b"X-Forwarded-For", b"X_Forwarded_Host",
        b"X-Consumer-Username", b"Forwarded", b"X-Caller-Id", b"X_CALLER_PLAN", b"X.Caller.Id", b"X~Caller-Plan", b"Front-End-Https", b"X-Secret", b"x_secret",
    ],
)  # fmt: skip
def test_fields_that_are_not_a_clients_to_send_stay(name: bytes) -> None:
    assert not FieldFilter([b"X-Secret"])[name]


def test_the_memory_for_names_is_bounded() -> None:
    some = FieldFilter([])
    for number in range(headers._REMEMBERED + 10):
        assert some[b"X-%d" % number]
    assert len(some) == 10


def test_connection_options() -> None:
    assert connection_options(["close, X-Hop ,", "Keep-Alive", "\udcff"]) == {b"close", b"x-hop", b"keep-alive", b"\xff"}
