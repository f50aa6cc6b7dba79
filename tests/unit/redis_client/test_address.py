"""redis_client/address.py: every way to a server, and what is said when there is none."""

import asyncio
import contextlib
import socket
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from gateway.redis_client.address import RedisAddress, RedisConnectionError
from gateway.redis_client.connection import RedisConnection, pack
from gateway.settings.schema import addresses
from gateway.settings.schema.values import RefusedError
from tests.redis_server import RedisProcess
from tests.refusing_proxy import proxy_before

LONG_S = 5.0


async def ask(address: RedisAddress, *command: bytes) -> object:
    """The reply to one command on a connection of its own, as the gateway uses it."""
    loop = asyncio.get_running_loop()
    link = RedisConnection(loop, LONG_S, lambda link, failure: None)
    link.take_over(await address.open(LONG_S))
    reply = await link.send(pack(*command), loop.time() + LONG_S)
    link.close()
    return reply


async def fails(url: str, timeout_s: float = LONG_S) -> str:
    with pytest.raises(RedisConnectionError) as raised:
        await RedisAddress(url).open(timeout_s)
    assert "s3cret" not in str(raised.value)
    return raised.value.reason


async def test_tcp(redis_server: RedisProcess) -> None:
    assert await ask(RedisAddress(redis_server.url), b"PING") == b"PONG"


async def test_a_unix_socket(redis_server: RedisProcess) -> None:
    address = RedisAddress(f"unix://{redis_server.socket_path}")
    assert str(address) == str(redis_server.socket_path)
    assert await ask(address, b"PING") == b"PONG"


async def test_a_database(redis_server: RedisProcess) -> None:
    redis_server.ask("SET", "in", "0")
    assert await ask(RedisAddress(redis_server.url.replace("/0", "/3")), b"EXISTS", b"in") == 0


async def test_a_user_with_a_password(redis_server: RedisProcess) -> None:
    redis_server.ask("ACL", "SETUSER", "gateway", "on", ">p@ss/word", "+@all", "~*")
    address = RedisAddress(redis_server.url.replace("//", "//gateway:p%40ss%2Fword@"))
    assert await ask(address, b"ACL", b"WHOAMI") == b"gateway"
    assert "ss" not in str(address)


async def test_tls_proves_who_is_there(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "chain", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    certificate.cert_chain_pems[0].write_to_path(files["chain"])
    certificate.private_key_pem.write_to_path(files["key"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        tls_port = free.getsockname()[1]
    options = {
        "tls-port": str(tls_port),
        "tls-cert-file": str(files["chain"]),
        "tls-key-file": str(files["key"]),
        "tls-auth-clients": "no",
    }
    server = RedisProcess(tmp_path, **options)
    server.start()
    url = f"rediss://127.0.0.1:{tls_port}"
    assert await ask(RedisAddress(f"{url}?ssl_ca_certs={files['ca']}"), b"PING") == b"PONG"
    assert await fails(url) == "tls"
    server.kill()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:s3cret@cache.internal", "cache.internal:6379"),
        ("rediss://user:s3cret@cache.internal:6380/2", "cache.internal:6380"),
        ("redis://[::1]:7000", "[::1]:7000"),
        ("redis://cache.internal?protocol=3&socket_timeout=30&max_connections=9", "cache.internal:6379"),
    ],
)
def test_it_is_shown_without_secrets(url: str, shown: str) -> None:
    assert str(RedisAddress(url)) == shown


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
def test_what_the_configuration_may_say_can_be_used(scheme: str) -> None:
    """Every parameter, each with every value of these that is not refused where the configuration is read."""
    tried = 0
    for name in (*addresses._PARAMETERS, *addresses._OF_TLS):
        for value in ("0", "1", "999", "0.5", "true", "no", "none", "required", "a b%20", "+3", "1e3", "-1", "٣"):
            url = (
                f"{scheme}:///run/redis?{name}={quote(value)}"
                if scheme == "unix"
                else f"{scheme}://a?{name}={quote(value)}"
            )
            with contextlib.suppress(RefusedError):
                RedisAddress(addresses.redis_url(url))
                tried += 1
    assert tried > 30


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "redis://127.0.0.1?socket_type=abc&colour=red", "redis://127.0.0.1:port", ""]
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        RedisAddress(url)


async def test_nobody_there(redis_server: RedisProcess) -> None:
    redis_server.kill()
    assert await fails(redis_server.url.replace("//", "//:s3cret@")) == "refused"
    assert await fails(f"unix://{redis_server.socket_path}.gone") == "refused"


async def test_no_such_name() -> None:
    assert await fails("redis://no-such-host.invalid") == "unresolved"


async def test_no_such_database(redis_server: RedisProcess) -> None:
    assert await fails(redis_server.url.replace("/0", "/99")) == "ERR"


@pytest.mark.parametrize("user", [":s3cret", "nobody:s3cret"])
async def test_not_let_in(redis_server: RedisProcess, user: str) -> None:
    redis_server.ask("CONFIG", "SET", "requirepass", "other")
    assert await fails(redis_server.url.replace("//", f"//{user}@")) == "WRONGPASS"


async def test_nobody_answers_in_time(redis_server: RedisProcess) -> None:
    redis_server.hang()
    assert await fails(redis_server.url.replace("/0", "/3"), timeout_s=0.05) == "timeout"


async def test_somebody_else_is_there() -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hangs_up, "127.0.0.1", 0) as server:
        assert await fails(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/3") == "unreachable"


async def test_a_set_up_that_is_given_up_leaves_no_connection() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def stays_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        asked.set()
        while await reader.read(65536):
            pass
        ended.set()
        writer.close()

    async with await asyncio.start_server(stays_silent, "127.0.0.1", 0) as server:
        opening = asyncio.ensure_future(
            RedisAddress(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/3").open(LONG_S)
        )
        await asyncio.wait_for(asked.wait(), LONG_S)
        while not opening.done():
            opening.cancel()
            await asyncio.wait([opening], timeout=0.01)
        await asyncio.wait_for(ended.wait(), LONG_S)


@pytest.mark.parametrize("cuts", [False, True])
async def test_a_proxy_that_refuses_databases_is_reported(redis_server: RedisProcess, *, cuts: bool) -> None:
    with proxy_before(redis_server, cuts=cuts) as port:
        with pytest.raises(RedisConnectionError, match=r"a proxy that refuses SELECT serves database 0 only"):
            await RedisAddress(f"redis://127.0.0.1:{port}/1").open(5.0)
        (await RedisAddress(f"redis://127.0.0.1:{port}/0").open(5.0)).close()


def test_the_tls_options_of_an_address() -> None:
    assert RedisAddress("redis://h").tls == {}
    assert RedisAddress("rediss://h?ssl_ca_certs=/ca.pem").tls == {"ssl": True, "ssl_ca_certs": "/ca.pem"}
