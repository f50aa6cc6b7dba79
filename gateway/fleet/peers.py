"""Asks other gateways, at the addresses that the registry has and nowhere else.

Laws: whoever is asked is asked for what it knows by itself, so that no question goes round. A reply counts only with
the id of the gateway that was meant: an address may belong to another one by now. What comes back is bounded, and so is
the time that all of them have together. Names are not looked up, because that takes a thread.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.fleet.record import GatewayRecord
from gateway.kernel.host_port import host_port
from gateway.net.address import is_ip_address, is_loopback

WITHIN_S, ALL_WITHIN_S = 1.5, 6.0
AT_ONCE = 64
MOST_BYTES, ALL_BYTES = 1 << 20, 8 << 20
_CHUNK_BYTES = 1 << 16
_MOST_PORT, _DIGITS = 65535, 5


class PeerError(Exception):
    """A gateway could not be asked. The text is the reason, for operators."""


class PeerAnswer(msgspec.Struct, frozen=True):
    """What one gateway has answered: `body`, or the `reason` for which there is none."""

    gateway: GatewayRecord
    body: dict[str, Any] | None = None
    reason: str = ""


async def ask_all(
    gateways: Sequence[GatewayRecord],
    path: str,
    own_host: str,
    within_s: float = WITHIN_S,
    all_within_s: float = ALL_WITHIN_S,
) -> list[PeerAnswer]:
    """Ask `gateways` for `path`, side by side. Their answers are objects in JSON with the member `gateway`, their id.

    `own_host` is the name of this machine: what listens on loopback addresses of others cannot be asked.
    """
    slots, left_bytes = asyncio.Semaphore(AT_ONCE), ALL_BYTES
    deadline = asyncio.get_running_loop().time() + all_within_s

    async def ask(gateway: GatewayRecord) -> PeerAnswer:
        nonlocal left_bytes
        try:
            async with asyncio.timeout_at(deadline), slots:
                body = await _body(gateway, path, own_host, within_s)
            left_bytes -= len(body)
            if left_bytes < 0:
                raise PeerError(f"all answers together have more than {ALL_BYTES} bytes")
            return PeerAnswer(gateway, _decoded(body, gateway))
        except TimeoutError:
            return PeerAnswer(gateway, reason="there was no time left for it")
        except PeerError as error:
            return PeerAnswer(gateway, reason=str(error))

    return await asyncio.gather(*map(ask, gateways))


async def _body(gateway: GatewayRecord, path: str, own_host: str, within_s: float) -> bytes:
    host, _, port = gateway.admin.rpartition(":")
    host = host.strip("[]")
    if not is_ip_address(host) or not (port.isdecimal() and len(port) <= _DIGITS and int(port) <= _MOST_PORT):
        raise PeerError("it has announced no address; admin.advertise can name one")
    if is_loopback(host) and gateway.host != own_host:
        raise PeerError("its admin listener is on a loopback address of another host; see admin.advertise")
    try:
        async with asyncio.timeout(within_s):
            status, body = await _fetch(host, int(port), path)
    except TimeoutError:
        raise PeerError(f"no answer within {within_s:g} s") from None
    except OSError as error:
        raise PeerError(f"not reached: {error.strerror or error}") from None
    if status != HTTPStatus.OK:
        raise PeerError(f"it answered {status}")
    return body


def _decoded(body: bytes, gateway: GatewayRecord) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise PeerError("it answered something else than a gateway does") from None
    if answer.get("gateway") != gateway.id:
        raise PeerError("another gateway is at its address")
    return answer


async def _fetch(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Return status and body. HTTP/1.0, so that the body ends with the connection. Raises OSError or PeerError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host_port(host, port)}\r\n\r\n".encode())
        received = bytearray()
        while chunk := await reader.read(_CHUNK_BYTES):
            received += chunk
            if len(received) > MOST_BYTES:
                raise PeerError(f"its answer has more than {MOST_BYTES} bytes")
    finally:
        writer.close()
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    status = head[9:12]
    if not head.startswith(b"HTTP/1.") or not status.isdigit():
        raise PeerError("it does not speak HTTP")
    return int(status), body
