"""The address of a Redis server: redis-py's part, from the URL to a connection that is authenticated."""

import asyncio
import socket
import ssl
from typing import Any, Protocol, cast

import hiredis
import redis.asyncio.connection as redis_py
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.kernel.host_port import host_port
from gateway.net.redis_url import parse, server_url, socket_url

OURS = (
    "timeout",
    "socket_timeout",
    "socket_connect_timeout",
    "retry_on_timeout",
    "max_connections",
    "protocol",
    "health_check_interval",
)
"""Parameters of a redis-py URL that the gateway decides, whatever the URL has."""
RESP_VERSION = 2


class RedisConnectionError(Exception):
    """The reason for a missing result.

    `reason`, its first word, is Redis's error code (READONLY, OOM …) or a word in lower case.

    The text is for logs and holds no secret. Most are replies rather than raised: raising costs microseconds.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.reason = text.partition(" ")[0].rstrip(":")


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "timeout"),
    (exceptions.TimeoutError, "timeout"),
    (exceptions.AuthenticationError, "WRONGPASS"),
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.ResponseError, "ERR"),
    (ConnectionRefusedError, "refused"),
    (FileNotFoundError, "refused"),
    (socket.gaierror, "unresolved"),
    (ssl.SSLError, "tls"),
)


class RedisEndpoint(Protocol):
    """Opens connections. Its string is for operators and holds no secret."""

    async def open(self, timeout_s: float) -> asyncio.StreamWriter:
        """Open an authenticated connection to its database, with no command in flight and nothing left to read.

        Raises RedisConnectionError.
        """
        ...


def encoded(url: str) -> str:
    """Return the URL of one server with its login percent-encoded: redis-py reads less than `redis_url.parse`."""
    parsed = parse(url)
    return socket_url(parsed) if parsed.scheme == "unix" else server_url(parsed, *parsed.hosts[0])


class RedisAddress:
    """One server. Raises ValueError for a URL that redis-py does not take (redis://, rediss://, unix://)."""

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = dict(redis_py.parse_url(encoded(url)))
        self._connection_class: type[redis_py.AbstractConnection] = options.pop("connection_class", redis_py.Connection)
        self._options = {name: value for name, value in options.items() if name not in OURS}
        try:
            shown = self._connection(1.0)
        except TypeError as unknown:
            raise ValueError(f"the Redis URL has an unknown parameter: {unknown}") from None
        if isinstance(shown, redis_py.Connection):
            self._shown = host_port(shown.host, shown.port)
        else:
            self._shown = str(options.get("path", ""))

    def __str__(self) -> str:
        return self._shown

    @property
    def tls(self) -> dict[str, Any]:
        """The TLS options for redis-py's clients, for servers that are reached as this one is."""
        if not issubclass(self._connection_class, redis_py.SSLConnection):
            return {}
        return {"ssl": True} | {name: value for name, value in self._options.items() if name.startswith("ssl_")}

    async def open(self, timeout_s: float) -> asyncio.StreamWriter:
        """Open a connection; see `RedisEndpoint.open`."""
        connection = self._connection(timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                await connection.connect()  # type: ignore[no-untyped-call]
            writer = cast(
                "asyncio.StreamWriter", connection._writer
            )  # redis-py has no public way to give its transport away
            connection._reader = connection._writer = None
        except (OSError, exceptions.RedisError, hiredis.HiredisError) as error:
            raise RedisConnectionError(text_of(error) + self._about_database(error)) from None
        return writer

    def _about_database(self, error: Exception) -> str:
        """Explain a connection that ends when it selects a database: proxies refuse SELECT, or cut the connection."""
        text = str(error)
        refused = self._options.get("db") and ("SELECT" in text or "closed by server" in text)
        return " (a proxy that refuses SELECT serves database 0 only)" if refused else ""

    def _connection(self, timeout_s: float) -> redis_py.AbstractConnection:
        return self._connection_class(
            **self._options,
            protocol=RESP_VERSION,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,  # CLIENT SETINFO: twemproxy and others cut the connection over it
        )


def text_of(error: BaseException) -> str:
    """Return the text of a RedisConnectionError.

    redis-py hides the cause below its own errors, and Redis's code in a class.
    """
    below: BaseException | None = error
    while below is not None:
        for kind, reason in _REASONS:
            if isinstance(below, kind):
                return f"{reason}: {error}"
        below = below.__cause__ or below.__context__
    return f"unreachable: {error}"
