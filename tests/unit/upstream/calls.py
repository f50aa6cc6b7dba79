"""Helpers to call an upstream."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from gateway.kernel.faults import GatewayError
from gateway.upstream.call import Answer, Call, Stream, UpstreamStream
from gateway.upstream.target import Target
from gateway.upstream.upstream import Upstream

Make: TypeAlias = Callable[..., Target]
"""Makes a Target with some settings changed. The fixture `make` closes it and checks that no connection is left."""
Several: TypeAlias = Callable[..., Upstream]
"""Makes an Upstream of targets at some URLs. The fixture is called `several`."""


class RetryCounter:
    """A RetryObserver that counts."""

    def __init__(self) -> None:
        self.count = self.refused = 0

    def retried(self) -> None:
        self.count += 1

    def not_retried(self) -> None:
        self.refused += 1


class RecordingObserver:
    """An observer of ejections and of circuits that records all events."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.times_s: list[float] = []

    def ejected(self, number: int, reason: int | str, for_s: float) -> None:
        self.events.append(f"{number} ejected: {reason}")
        self.times_s.append(for_s)

    def returned(self, number: int) -> None:
        self.events.append(f"{number} returned")

    def opened(self, for_s: float) -> None:
        self.events.append("opened")
        self.times_s.append(for_s)

    def closed(self) -> None:
        self.events.append("closed")


def call(
    method: bytes = b"GET",
    body: Any = b"",
    *,
    idempotent: bool | None = None,
    buffer_bytes: int = 1 << 20,
    connect_s: float = 1.0,
    first_byte_s: float = 2.0,
    total_s: float = 5.0,
    idle_s: float = 5.0,
    events_idle_s: float = 5.0,
) -> Call:
    safe = method != b"POST" if idempotent is None else idempotent
    return Call(
        method,
        b"/x",
        b"Host: h\r\n",
        (),
        body,
        safe,
        buffer_bytes,
        connect_s,
        first_byte_s,
        total_s,
        idle_s,
        events_idle_s,
    )


async def fails(upstream: Target | Upstream, sent: Call) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await upstream.send(sent)
    assert upstream.active == 0
    return caught.value


def streamed(answer: Answer) -> UpstreamStream:
    assert answer.stream is not None
    return answer.stream


async def rest(stream: Stream) -> bytes:
    data = bytearray()
    while piece := await stream.read():
        data += piece
    return bytes(data)
