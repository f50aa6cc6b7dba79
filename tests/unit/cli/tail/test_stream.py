"""cli/tail/stream.py: the lines of an admin listener, until it sends no more."""

import asyncio
import contextlib

import pytest

from gateway.cli.tail.stream import StreamError, lines, merged, session
from tests.canned_admin import admin
from tests.unit.fleet.test_peers import peer


async def read(address: str, query: dict[str, str] | None = None, token: str = "") -> tuple[list[bytes], StreamError]:
    """What came, and how it ended."""
    found: list[bytes] = []

    async def take() -> None:
        async with session(token) as client:
            async for line in lines(client, address, query or {}):
                found.append(line)  # noqa: PERF401  what came before the error counts

    with pytest.raises(StreamError) as ended:
        await take()
    return found, ended.value


async def test_lines_come_without_the_empty_ones_until_the_end() -> None:
    with admin(200, b'{"a":1}\n\n{"b":2}\n') as (address, asked):
        found, error = await read(f"http://{address}", {"status": "5xx"}, "sesame")
        await read(address)
    assert found == [b'{"a":1}', b'{"b":2}']
    assert (str(error), error.status) == ("the gateway has ended the connection", 0)
    assert asked == [("/tail?status=5xx", "Bearer sesame"), ("/tail", None)]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"\xff"])
async def test_a_refusal_without_a_reason_has_its_status(body: bytes) -> None:
    with admin(403, body) as (address, _):
        _, error = await read(address)
    assert (str(error), error.status) == ("it answers 403", 403)


async def test_a_silent_gateway_is_given_up() -> None:
    async with peer(None) as (address, _), session("", 0.05) as client:
        with pytest.raises(StreamError, match="sent nothing for too long"):
            await anext(lines(client, address, {}))


async def test_nobody_there_is_no_refusal() -> None:
    error = (await read("127.0.0.1:1"))[1]
    assert (error.status, str(error)) == (0, "no gateway answers: Connection refused")


@pytest.mark.parametrize("address", ["https://127.0.0.1:1", "http://", "127.0.0.1:port"])
async def test_a_malformed_address_is_a_refusal(address: str) -> None:
    assert (await read(address))[1].status == 400


async def test_a_gateway_that_goes_away_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    with admin(200, b'{"a":1}\n') as (address, asked):
        found = []
        async with asyncio.timeout(20), contextlib.aclosing(merged([address, "127.0.0.1:1"], "", {}, 0.01)) as source:
            async for each in source:
                found.append(each)
                if len(found) == 3:
                    break
    assert found == [(address, b'{"a":1}')] * 3
    assert len(asked) >= 3
    printed = capsys.readouterr().err
    assert f"{address}: the gateway has ended the connection; trying again\n" in printed
    assert printed.count("127.0.0.1:1: ") == 1


async def test_a_refusal_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    with admin(401, b'{"error": "no"}') as (address, _), pytest.raises(SystemExit) as ended:
        await anext(merged([address], "", {}))
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"{address}: no\nsay it with --token, or in GATEWAY_ADMIN_TOKEN\n"


async def test_it_ends_where_no_gateway_was_ever_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        await anext(merged(["127.0.0.1:1"], "", {}, 0.01))
    assert capsys.readouterr().err.startswith("127.0.0.1:1: no gateway answers: ")
