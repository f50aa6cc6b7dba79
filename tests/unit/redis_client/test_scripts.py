"""redis_client/scripts.py: a server, or a proxy before it, that refuses SCRIPT."""

import asyncio

from gateway.redis_client.connection import pack, sha_of
from gateway.redis_client.scripts import by_eval
from tests.redis_server import RedisProcess
from tests.unit.redis_client.watched import Watch


async def test_a_user_who_may_not_load_scripts_needs_not_to(watch: Watch, redis_server: RedisProcess) -> None:
    redis_server.ask("ACL", "SETUSER", "gateway", "on", "nopass", "+@all", "-script", "~*")
    watched = await watch(redis_server.url.replace("//", "//gateway:any@"))
    assert await watched.answers()
    redis_server.ask("SCRIPT", "FLUSH")
    assert await watched.answers()
    assert watched.states == [(True, "")]


async def test_a_proxy_that_cuts_the_connection_over_script_is_asked_without(
    watch: Watch, redis_server: RedisProcess
) -> None:
    """As twemproxy does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_connection("127.0.0.1", redis_server.port)

        async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while (data := await source.read(65536)) and b"\r\nSCRIPT\r\n" not in data and b"SETINFO" not in data:
                sink.write(data)
            writer.close()
            redis_writer.close()

        await asyncio.gather(carry(reader, redis_writer), carry(redis_reader, writer), return_exceptions=True)
        ended.release()

    ended = asyncio.Semaphore(0)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
        watched = await watch(f"redis://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/0")
        await watched.becomes(up=True)
        assert await watched.answers()
        await watched.node.close()
        await asyncio.gather(ended.acquire(), ended.acquire())


def test_a_script_travels_with_its_call() -> None:
    script = b"return 1"
    call = pack(b"EVALSHA", sha_of(script), b"1", b"key", b"argument")
    assert by_eval(call, {sha_of(script): script}) == pack(b"EVAL", script, b"1", b"key", b"argument")
    assert by_eval(call, {}) == call
    other = pack(b"SET", b"key", call)
    assert by_eval(other, {sha_of(script): script}) == other
