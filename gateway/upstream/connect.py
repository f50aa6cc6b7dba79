"""Makes a connection to an endpoint, and finds the fault when that fails."""

import asyncio
import contextlib
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
from gateway.kernel.host_port import host_port
from gateway.net.name_resolver import NameResolver, is_literal

P = TypeVar("P", bound=asyncio.Protocol)


class Endpoint(msgspec.Struct, frozen=True):
    """The address of a target. With `context` it uses TLS, and the certificate must be for `server_name`."""

    host: str
    port: int
    context: ssl.SSLContext | None = None
    server_name: str | None = None

    def __str__(self) -> str:
        return host_port(self.host, self.port)

    @property
    def authority(self) -> str:
        """The authority of a URL: without the port where it is the default one (RFC 9110 7.2)."""
        return str(self).removesuffix(":80" if self.context is None else ":443")


def endpoint_of(url: str, context: ssl.SSLContext | None, server_name: str | None) -> Endpoint:
    """Return the endpoint of an http or https URL.

    `context` is used for https only. Raises ValueError for other URLs.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise ValueError(f"not an http or https URL: {url}")
    if parts.scheme == "http":
        return Endpoint(parts.hostname, 80 if parts.port is None else parts.port)
    if context is None:
        raise ValueError("https needs a TLS context")
    return Endpoint(parts.hostname, 443 if parts.port is None else parts.port, context, server_name or parts.hostname)


async def connect(
    loop: asyncio.AbstractEventLoop, to: Endpoint, protocol: Callable[[], P], deadline: float, names: NameResolver
) -> P:
    """Return a connected protocol, after the TLS handshake if there is one.

    `deadline` is a reading of the loop's clock.
    All addresses of a name are tried in the resolver's order, each with an equal share of the remaining time.
    Raises GatewayError (UPSTREAM_NAME_UNRESOLVED, _REFUSED, _UNREACHABLE, _TLS_FAILED, _CONNECT_TIMEOUT).
    """
    try:
        async with asyncio.timeout_at(deadline):
            hosts = [to.host] if is_literal(to.host) else await names.addresses(to.host)
    except TimeoutError:
        raise GatewayError(UPSTREAM_CONNECT_TIMEOUT, cause=f"{to}: no answer to the name look-up in time") from None
    except (OSError, UnicodeError) as error:
        raise GatewayError(
            UPSTREAM_NAME_UNRESOLVED, cause=f"{to}: {getattr(error, 'strerror', None) or error}"
        ) from None
    *others, last = hosts
    for tried, host in enumerate(others):
        with contextlib.suppress(OSError):
            return await _attempt(loop, to, host, protocol, deadline, len(hosts) - tried)
    try:
        return await _attempt(loop, to, last, protocol, deadline, 1)
    except OSError as error:
        if last != to.host:
            names.refresh(to.host)
        raise _fault(to, last, error) from None


async def _attempt(
    loop: asyncio.AbstractEventLoop, to: Endpoint, host: str, protocol: Callable[[], P], deadline: float, remaining: int
) -> P:
    """Connect to one address of `to`. It may take its share of the time, with `remaining` addresses to try."""
    now = loop.time()
    async with asyncio.timeout_at(now + (deadline - now) / remaining):
        _, connected = await loop.create_connection(
            protocol, host, to.port, ssl=to.context, server_hostname=to.server_name if to.context else None
        )
        return connected


def _fault(to: Endpoint, host: str, error: OSError) -> GatewayError:
    # asyncio replaces strerror with a text of its own.
    text = (
        os.strerror(error.errno)
        if error.errno and not isinstance(error, ssl.SSLError)
        else error.strerror or type(error).__name__
    )
    where = str(to) if host == to.host else f"{to} ({host})"
    # asyncio.timeout and the system's ETIMEDOUT raise the same class.
    if isinstance(error, TimeoutError):
        return GatewayError(UPSTREAM_CONNECT_TIMEOUT, cause=f"{where}: not connected in time")
    if isinstance(error, ConnectionRefusedError):
        return GatewayError(UPSTREAM_REFUSED, cause=f"{where}: {text}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return GatewayError(UPSTREAM_TLS_FAILED, cause=f"{where}: {error.verify_message}")
    # Before the TLS handshake a connection can be refused, but it cannot be reset.
    if isinstance(error, ssl.SSLError) or (to.context is not None and isinstance(error, ConnectionError)):
        return GatewayError(UPSTREAM_TLS_FAILED, cause=f"{where}: TLS handshake failed: {text}")
    return GatewayError(UPSTREAM_UNREACHABLE, cause=f"{where}: {text}")
