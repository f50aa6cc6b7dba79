"""The address of a primary that Sentinels know.

redis-py asks them for each connection, so a failover is one connection more.
"""

import asyncio
from urllib.parse import parse_qsl, urlencode

from redis import exceptions
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff

from gateway.net.redis_url import RedisUrl, server_url
from gateway.redis_client.address import RESP_VERSION, RedisAddress, RedisConnectionError, text_of

LOGIN = ("sentinel_username", "sentinel_password")
"""Parameters of the URL that are for the Sentinels: these do not accept the login of the primary."""


class SentinelAddress:
    """An Endpoint: the server that is the primary of a service at the time.

    TLS, where the URL asks for it, is used for the Sentinels too. Raises ValueError for parameters that redis-py does
    not take.
    """

    def __init__(self, url: RedisUrl) -> None:
        given = dict(parse_qsl(url.query.removeprefix("?")))
        login = {name.removeprefix("sentinel_"): given.pop(name) for name in LOGIN if name in given}
        self._url = url._replace(query=f"?{urlencode(given)}" if given else "")
        self._options = {**login, **RedisAddress(server_url(self._url, *url.hosts[0])).tls}
        self._primary = "not found"

    def __str__(self) -> str:
        return f"{self._url.service} ({self._primary})"

    async def open(self, timeout_s: float) -> asyncio.StreamWriter:
        """Open a connection; see `RedisEndpoint.open`.

        The time-out is for both: finding the primary, and connecting to it.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        address = RedisAddress(server_url(self._url, *await self._find(timeout_s)))
        self._primary = str(address)
        return await address.open(max(deadline - loop.time(), 0.001))

    async def _find(self, timeout_s: float) -> tuple[str, int]:
        """Ask each Sentinel for the primary, in a part of the time each, so that one that hangs leaves time."""
        part_s = timeout_s / (len(self._url.hosts) + 1)
        options = {
            "protocol": RESP_VERSION,
            "socket_timeout": part_s,
            "socket_connect_timeout": part_s,
            "retry": Retry(NoBackoff(), 0),
        }
        sentinels = Sentinel(self._url.hosts, sentinel_kwargs=self._options | options)  # type: ignore[no-untyped-call]
        try:
            host, port = await sentinels.discover_master(self._url.service)
        except MasterNotFoundError:
            raise RedisConnectionError(
                f"no-primary: no Sentinel of {len(self._url.hosts)} knows one of {self._url.service}"
            ) from None
        except (OSError, exceptions.RedisError) as error:
            raise RedisConnectionError(text_of(error)) from None
        finally:
            await sentinels.aclose()
        return str(host), int(port)
