"""redis_client/server.py: a server that hangs, dies, forgets, refuses, and comes back."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from gateway.kernel.limits.token_bucket import Window, claim
from gateway.limiter.redis_limiter import PROBE, SCRIPT, command
from gateway.redis_client.address import RedisAddress, RedisConnectionError
from gateway.redis_client.server import RedisServer
from tests.limiter_load import until
from tests.redis_server import RedisProcess
from tests.unit.redis_client.watched import GENEROUS_S, Watch

BUDGET_S = 0.05
SLACK_S = 1.0
"""Far more than one budget, on a machine that is busy; far less than a budget for each of a hundred callers."""


async def test_it_starts_without_redis_and_finds_it_by_itself(watch: Watch, redis_server: RedisProcess) -> None:
    redis_server.kill()
    watched = await watch(redis_server.url)
    assert watched.states == [(False, "refused")]
    assert not await watched.answers()
    redis_server.start()
    await watched.becomes(up=True)
    assert await watched.answers()
    assert watched.states == [(False, "refused"), (True, "")]


async def test_a_server_that_hangs_costs_some_callers_their_budget_and_the_others_nothing(
    watch: Watch, redis_server: RedisProcess
) -> None:
    watched = await watch(redis_server.url, BUDGET_S)
    redis_server.hang()
    asked_at = time.monotonic()
    replies = await asyncio.gather(*(watched.call() for _ in range(64)))
    assert BUDGET_S <= time.monotonic() - asked_at < SLACK_S
    assert all(isinstance(reply, RedisConnectionError) for reply in replies)
    asked_at = time.monotonic()
    for _ in range(100):
        assert not await watched.answers()
    assert time.monotonic() - asked_at < SLACK_S
    redis_server.go_on()
    await watched.becomes(up=True)
    assert await watched.answers()
    assert watched.states == [(True, ""), (False, "timeout"), (True, "")]


async def test_a_lone_caller_finds_out_for_all(watch: Watch, redis_server: RedisProcess) -> None:
    watched = await watch(redis_server.url, BUDGET_S)
    redis_server.hang()
    assert not await watched.answers()
    await watched.becomes(up=False)
    redis_server.go_on()


async def test_a_server_that_comes_back_without_its_data(watch: Watch, redis_server: RedisProcess) -> None:
    watched = await watch(redis_server.url)
    assert await watched.answers()
    redis_server.kill()
    await watched.becomes(up=False)
    redis_server.start()
    await watched.becomes(up=True)
    reply = await watched.call()
    assert isinstance(reply, list)
    assert reply[2] - reply[1] == 86_400_000


async def test_an_idle_connection_that_the_server_closed_is_replaced_unnoticed(
    watch: Watch, redis_server: RedisProcess
) -> None:
    watched = await watch(redis_server.url)
    for _ in range(5):
        redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
        await until(lambda: "down" in repr(watched.node))
        assert all(await asyncio.gather(*(watched.answers() for _ in range(10))))
    assert watched.states == [(True, "")]


async def test_calls_wait_for_the_next_connection_but_no_longer_than_they_may(
    watch: Watch, redis_server: RedisProcess
) -> None:
    watched = await watch(redis_server.url, BUDGET_S)
    redis_server.kill()
    with socket.create_server(("127.0.0.1", redis_server.port)):  # takes connections and never says a word
        assert not await watched.answers()
        asked_at = time.monotonic()
        assert not any(await asyncio.gather(*(watched.answers() for _ in range(10))))
        assert BUDGET_S <= time.monotonic() - asked_at < SLACK_S
        asked_at = time.monotonic()
        for _ in range(100):
            assert not await watched.answers()
        assert time.monotonic() - asked_at < SLACK_S
    assert watched.states == [(True, ""), (False, "timeout")]


async def test_a_server_that_forgot_the_script_gets_it_again(watch: Watch, redis_server: RedisProcess) -> None:
    watched = await watch(redis_server.url)
    for _ in range(3):
        redis_server.ask("SCRIPT", "FLUSH")
        redis_server.ask("CONFIG", "RESETSTAT")
        assert all(await asyncio.gather(*(watched.answers() for _ in range(20))))
        assert redis_server.ask("INFO", "commandstats")["cmdstat_script|load"]["calls"] == 1
    assert watched.states == [(True, "")]


async def test_a_cancelled_caller_leaves_the_others_theirs(watch: Watch, redis_server: RedisProcess) -> None:
    watched = await watch(redis_server.url)
    for _ in range(20):
        tasks = [asyncio.ensure_future(watched.call()) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(reply, asyncio.CancelledError) for reply in replies[::2])
        times = [reply[2] for reply in replies[1::2] if isinstance(reply, list)]
        assert len(times) == 5
        assert times == sorted(set(times))


REFUSALS = [
    pytest.param(["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"], "READONLY", id="a replica"),
    pytest.param(["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"], "OOM", id="no memory"),
    pytest.param(
        ["ACL", "SETUSER", "default", "-evalsha"], ["ACL", "SETUSER", "default", "+evalsha"], "NOPERM", id="no right"
    ),
    pytest.param(
        ["CONFIG", "SET", "min-replicas-to-write", "1"],
        ["CONFIG", "SET", "min-replicas-to-write", "0"],
        "NOREPLICAS",
        id="no replicas",
    ),
]


@pytest.mark.parametrize(("spoil", "mend", "reason"), REFUSALS)
async def test_a_server_that_refuses_everyone_is_away_until_it_no_longer_does(
    watch: Watch, redis_server: RedisProcess, spoil: list[str], mend: list[str], reason: str
) -> None:
    watched = await watch(redis_server.url)
    redis_server.ask(*spoil)
    assert not await watched.answers()
    assert watched.states == [(True, ""), (False, reason)]
    redis_server.ask(*mend)
    await watched.becomes(up=True)
    assert await watched.answers()


async def test_one_broken_key_is_one_callers_trouble(watch: Watch, redis_server: RedisProcess) -> None:
    watched = await watch(redis_server.url)
    redis_server.ask("HSET", "gw:1:{broken}:day", "a", "b")
    broken = command("gw", claim("{broken}", (Window("day", 1000, 86_400_000_000, None),)))
    for _ in range(10):
        reply = await watched.node.call(broken)
        assert isinstance(reply, RedisConnectionError)
        assert reply.reason == "WRONGTYPE"
        assert await watched.answers()
    assert watched.states == [(True, "")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING", id="loading"),
        pytest.param(b"-MISCONF Redis is configured to save RDB snapshots\r\n", "MISCONF", id="cannot save"),
        pytest.param(b"-ERR unknown command 'SCRIPT'\r\n", "ERR", id="not Redis"),
        pytest.param(b"", "lost", id="hangs up"),
    ],
)
async def test_a_server_that_takes_connections_and_does_nothing(watch: Watch, answer: bytes, reason: str) -> None:
    async def reply_with(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(65536):
            writer.write(
                b"+OK\r\n" * asked.count(b"\r\nCLIENT\r\n")
                + answer * (asked.count(b"\r\nSCRIPT\r\n") + asked.count(b"\r\nEVAL\r\n"))
            )
            if b"SCRIPT" in asked and not answer:
                break
        writer.close()

    async with await asyncio.start_server(reply_with, "127.0.0.1", 0) as server:
        watched = await watch(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert watched.states == [(False, reason)]
        assert not await watched.answers()
        await watched.node.close()


@pytest.mark.parametrize(("password", "up"), [("right", True), ("wrong", False), ("", False)])
async def test_passwords(watch: Watch, tmp_path: Path, password: str, *, up: bool) -> None:
    server = RedisProcess(tmp_path, requirepass="right")
    server.start()
    watched = await watch(server.url.replace("//", f"//:{password}@") if password else server.url)
    assert watched.states == [(True, "") if up else (False, "WRONGPASS" if password else "NOAUTH")]
    assert await watched.answers() is up
    assert "right" not in repr(watched.node)
    await watched.node.close()
    server.kill()


async def test_closing_while_it_connects(watch: Watch, redis_server: RedisProcess) -> None:
    redis_server.kill()
    watched = await watch(redis_server.url)
    await watched.node.close()
    redis_server.start()
    assert not await watched.answers()
    assert watched.states == [(False, "refused")]


class Broken(RedisAddress):
    """Fails, the first time, as nobody has foreseen."""

    tried = False

    async def open(self, timeout_s: float) -> asyncio.StreamWriter:
        if self.tried:
            return await super().open(timeout_s)
        self.tried = True
        raise RuntimeError("unforeseen")


async def test_a_bug_does_not_end_the_search_for_the_server(redis_server: RedisProcess) -> None:
    states: list[tuple[bool, str]] = []
    node = RedisServer(
        Broken(redis_server.url),
        GENEROUS_S,
        (SCRIPT,),
        lambda: command("gw", PROBE),
        lambda *, up, reason: states.append((up, reason)),
    )
    await node.start()
    await until(lambda: len(states) == 2)
    assert states == [(False, "bug: RuntimeError: unforeseen"), (True, "")]
    await node.close()


async def test_operators_see_its_state(watch: Watch, redis_server: RedisProcess) -> None:
    watched = await watch(redis_server.url)
    assert watched.node.up is True
    (status,) = watched.node.servers()
    assert (status.address, status.up, status.availability, status.failures) == (
        f"127.0.0.1:{redis_server.port}",
        True,
        "closed",
        0,
    )
