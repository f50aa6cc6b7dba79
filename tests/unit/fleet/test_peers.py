"""fleet/peers.py: other gateways are asked side by side, and what they answer is bounded and checked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.fleet.peers import ALL_BYTES, MOST_BYTES, PeerAnswer, ask_all
from gateway.fleet.record import GatewayRecord

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@asynccontextmanager
async def peer(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """The address of a server that gives `answer`, None for one that is silent, and the heads that it was sent."""
    heads: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await done.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    finally:
        done.set()
        server.close()


def gateway(admin: str, host: str = "here") -> GatewayRecord:
    return GatewayRecord("g1", host, admin, "1.2", "abc", 0.0)


async def asked(admin: str, within_s: float = 10.0, host: str = "here") -> PeerAnswer:
    (answer,) = await ask_all([gateway(admin, host)], "/requests/x?local=true", "here", within_s)
    return answer


async def test_a_gateway_is_asked_by_its_address() -> None:
    async with peer(HEAD + b'{"gateway":"g1","records":[]}') as (address, heads):
        answer = await asked(address)
    assert answer == PeerAnswer(gateway(address), {"gateway": "g1", "records": []})
    assert heads == [f"GET /requests/x?local=true HTTP/1.0\r\nHost: {address}\r\n\r\n".encode()]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (HEAD + b'{"gateway":"g2"}', "another gateway is at its address"),
        (HEAD + b"[" * 100_000, "it answered something else than a gateway does"),
        (HEAD + b"[]", "it answered something else than a gateway does"),
        (HEAD + b'{"gateway":"\xff"}', "it answered something else than a gateway does"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n{}", "it answered 404"),
        (b"SSH-2.0-x\r\n", "it does not speak HTTP"),
        (HEAD + b" " * MOST_BYTES, f"its answer has more than {MOST_BYTES} bytes"),
    ],
)
async def test_what_is_no_answer_of_that_gateway_is_an_error(answer: bytes, reason: str) -> None:
    async with peer(answer) as (address, _):
        assert (await asked(address)).reason == reason


async def test_a_silent_gateway_is_not_waited_for() -> None:
    async with peer(None) as (address, _):
        assert (await asked(address, 0.05)).reason == "no answer within 0.05 s"


@pytest.mark.parametrize(
    ("admin", "host", "reason"),
    [
        ("", "here", "it has announced no address"),
        ("gateway.example:9901", "here", "it has announced no address"),
        ("unix:/run/x", "here", "it has announced no address"),
        ("127.0.0.1:65536", "here", "it has announced no address"),
        ("127.0.0.1:" + "9" * 900, "here", "it has announced no address"),
        ("127.0.0.1:1", "there", "its admin listener is on a loopback address of another host"),
        ("127.0.0.1:1", "here", "not reached: "),
    ],
)
async def test_a_gateway_that_cannot_be_reached_says_why(admin: str, host: str, reason: str) -> None:
    assert (await asked(admin, host=host)).reason.startswith(reason)


async def test_all_together_have_a_time() -> None:
    async with peer(None) as (address, _):
        answers = await ask_all([gateway(address)] * 2, "/x", "here", 10.0, 0.05)
    assert [each.reason for each in answers] == ["there was no time left for it"] * 2


async def test_all_together_have_a_size() -> None:
    long = b'{"gateway":"g1"}' + b" " * (MOST_BYTES // 2)
    count = ALL_BYTES // len(long)
    async with peer(HEAD + long) as (address, _):
        answers = await ask_all([gateway(address)] * (count + 1), "/x", "here", 10.0, 10.0)
    assert sorted(each.reason for each in answers) == [""] * count + [
        f"all answers together have more than {ALL_BYTES} bytes"
    ]


async def test_one_that_fails_hinders_no_other() -> None:
    async with peer(HEAD + b'{"gateway":"g1"}') as (address, _):
        answers = await ask_all([gateway(""), gateway(address)], "/x", "here")
    assert [each.body for each in answers] == [None, {"gateway": "g1"}]
