"""Reads the lines of an admin listener's /tail, for as long as it sends any."""

import asyncio
import http.client
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from json import JSONDecodeError

import aiohttp
import click
from yarl import URL

SILENT_S = 30.0
"""A gateway sends an empty line every ten seconds: one that sends nothing for so long is lost."""
AGAIN_S = 1.0
_MOST_WAITING = 1000


class StreamError(Exception):
    """The gateway does not send lines, or has stopped sending them. The text says why."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status
        """The status of a refusal, 0 where the connection failed."""


def session(token: str, silent_s: float = SILENT_S) -> aiohttp.ClientSession:
    """Return a session for `lines`, in a running event loop."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=None, sock_read=silent_s))


async def lines(client: aiohttp.ClientSession, admin: str, query: dict[str, str]) -> AsyncIterator[bytes]:
    """Yield the lines that are not empty. Raises StreamError when there are no more, and at a malformed address."""
    try:
        url = URL(admin if "://" in admin else f"http://{admin}")
    except ValueError:
        url = URL()
    if url.scheme != "http" or not url.host:
        raise StreamError("write host:port, or a URL that begins with http://", http.client.BAD_REQUEST)
    try:
        async with client.get(url.with_path("/tail").with_query(query)) as reply:
            if reply.status != http.client.OK:
                raise StreamError(await _reason(reply), reply.status)
            async for line in reply.content:
                if line.strip():
                    yield line.strip()
    except TimeoutError:
        raise StreamError("the gateway has sent nothing for too long") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        errno = getattr(error, "errno", None)
        raise StreamError(f"no gateway answers: {os.strerror(errno) if errno else error}") from None
    raise StreamError("the gateway has ended the connection")


async def merged(
    admins: Sequence[str], token: str, query: dict[str, str], again_s: float = AGAIN_S
) -> AsyncGenerator[tuple[str, bytes], None]:
    """Yield address and line as they come, and ask a gateway that is away again after `again_s`.

    Exits with 1 when a gateway refuses, or when none is there at first.
    """
    queue: asyncio.Queue[tuple[str, bytes | StreamError]] = asyncio.Queue(_MOST_WAITING)
    silent: set[str] = set()
    is_heard = False
    async with session(token) as client:
        loop = asyncio.get_running_loop()
        readers = [loop.create_task(_read(client, admin, query, queue, again_s)) for admin in admins]
        try:
            while True:
                admin, line = await queue.get()
                if isinstance(line, bytes):
                    is_heard = True
                    silent.discard(admin)
                    yield admin, line
                elif line.status or (not is_heard and silent | {admin} == {*admins}):
                    click.echo(f"{admin}: {line}", err=True)
                    if line.status == http.client.UNAUTHORIZED:
                        click.echo("say it with --token, or in GATEWAY_ADMIN_TOKEN", err=True)
                    sys.exit(1)
                elif admin not in silent:
                    silent.add(admin)
                    click.echo(f"{admin}: {line}; trying again", err=True)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)


async def _read(
    client: aiohttp.ClientSession,
    admin: str,
    query: dict[str, str],
    queue: "asyncio.Queue[tuple[str, bytes | StreamError]]",
    again_s: float,
) -> None:
    while True:
        try:
            async for line in lines(client, admin, query):
                await queue.put((admin, line))
        except StreamError as error:
            await queue.put((admin, error))
        await asyncio.sleep(again_s)


async def _reason(reply: aiohttp.ClientResponse) -> str:
    try:
        return str((await reply.json())["error"])
    except (aiohttp.ContentTypeError, JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return f"it answers {reply.status}"
