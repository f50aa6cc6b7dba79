"""Makes a connection to an address, and says which fault it is when there is none."""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from gateway.kernel.faults import (
    UPSTREAM_CONNECT_TIMEOUT,
    UPSTREAM_NAME_UNRESOLVED,
    UPSTREAM_REFUSED,
    UPSTREAM_TLS_FAILED,
    UPSTREAM_UNREACHABLE,
    GatewayError,
)
from gateway.upstream.names import Names, is_literal

P = TypeVar("P", bound=asyncio.Protocol)


class Address(msgspec.Struct, frozen=True):
    """Where an upstream listens. With `context` it is spoken to in TLS and must prove to be `server_name`."""

    host: str
    port: int
    context: ssl.SSLContext | None = None
    server_name: str | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """As a URL has it: without the port where that is the usual one (RFC 9110 7.2)."""
        return str(self).removesuffix(":80" if self.context is None else ":443")


def address(url: str, context: ssl.SSLContext | None, server_name: str | None) -> Address:
    """The address in an http or https URL; `context` is for https only. Raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise ValueError(f"not an http or https URL: {url}")
    if parts.scheme == "http":
        return Address(parts.hostname, 80 if parts.port is None else parts.port)
    if context is None:
        raise ValueError("https needs a TLS context")
    return Address(parts.hostname, 443 if parts.port is None else parts.port, context, server_name or parts.hostname)


async def dial(loop: asyncio.AbstractEventLoop, to: Address, protocol: Callable[[], P], deadline: float, names: Names) -> P:
    """A connected protocol, TLS included. `deadline` is a reading of the loop's clock.

    All addresses of a name are tried in the resolver's order, each with an even share of what time is left.
    Raises GatewayError (UPSTREAM_NAME_UNRESOLVED, _REFUSED, _UNREACHABLE, _TLS_FAILED, _CONNECT_TIMEOUT).
    """
    try:
        async with asyncio.timeout_at(deadline):
            hosts = [to.host] if is_literal(to.host) else await names.addresses(to.host)
    except TimeoutError:
        raise GatewayError(UPSTREAM_CONNECT_TIMEOUT, cause=f"{to}: no answer to the name look-up in time") from None
    except (OSError, UnicodeError) as error:
        raise GatewayError(UPSTREAM_NAME_UNRESOLVED, cause=f"{to}: {getattr(error, 'strerror', None) or error}") from None
    for left in range(len(hosts), 0, -1):
        host = hosts[-left]
        now = loop.time()
        try:
            async with asyncio.timeout_at(now + (deadline - now) / left):
                _, connected = await loop.create_connection(
                    protocol, host, to.port, ssl=to.context, server_hostname=to.server_name if to.context else None
                )
                return connected
        except OSError as error:
            if left == 1:
                if host != to.host:
                    names.doubt(to.host)
                raise _fault(to, host, error) from None
    raise GatewayError(UPSTREAM_NAME_UNRESOLVED, cause=f"{to}: no address")


def _fault(to: Address, host: str, error: OSError) -> GatewayError:
    # asyncio puts words of its own into strerror
    text = os.strerror(error.errno) if error.errno and not isinstance(error, ssl.SSLError) else error.strerror or type(error).__name__
    where = str(to) if host == to.host else f"{to} ({host})"
    # asyncio.timeout and the kernel's ETIMEDOUT raise the same class
    if isinstance(error, TimeoutError):
        return GatewayError(UPSTREAM_CONNECT_TIMEOUT, cause=f"{where}: not connected in time")
    if isinstance(error, ConnectionRefusedError):
        return GatewayError(UPSTREAM_REFUSED, cause=f"{where}: {text}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return GatewayError(UPSTREAM_TLS_FAILED, cause=f"{where}: {error.verify_message}")
    # Before the handshake a connection can be refused, but not reset
    if isinstance(error, ssl.SSLError) or (to.context is not None and isinstance(error, ConnectionError)):
        return GatewayError(UPSTREAM_TLS_FAILED, cause=f"{where}: TLS handshake failed: {text}")
    return GatewayError(UPSTREAM_UNREACHABLE, cause=f"{where}: {text}")
