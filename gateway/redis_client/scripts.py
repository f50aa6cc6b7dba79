"""The scripts of one server: loaded into each server that is reached, and again when it has forgotten them.

A proxy before Redis may know EVAL and not SCRIPT: then calls of scripts carry the script, once Redis does not know it.
"""

import asyncio
from collections.abc import Mapping, Sequence

from gateway.net.waiter import Callback
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.connection import LOST, RedisConnection, pack, sha_of

_EVALSHA = b"$7\r\nEVALSHA\r\n$40\r\n"
_LONGEST_COUNT = 10
"""Bytes before the name of a command, at most: they say how many parts it has."""
_NO_SUCH_COMMAND = frozenset({"ERR", "NOPERM"})
"""Error codes of SCRIPT where it is not known, or not allowed."""


class ServerScripts:
    """The scripts of a server, and how it gets them. `by_eval` is whether SCRIPT is refused."""

    def __init__(self, scripts: Sequence[bytes]) -> None:
        self.by_eval = False
        self._by_sha = {sha_of(script): script for script in scripts}
        self._loads = [pack(b"SCRIPT", b"LOAD", script) for script in scripts]
        self._reloading = False

    async def load(self, connection: RedisConnection, timeout_s: float) -> RedisConnectionError | None:
        """Load them, each within `timeout_s`. Return why the server cannot be used, None if it can.

        Some proxies reply that they do not know SCRIPT, others cut the connection over it.
        """
        for load in () if self.by_eval else self._loads:
            reply = await connection.send(load, asyncio.get_running_loop().time() + timeout_s)
            if isinstance(reply, RedisConnectionError):
                self.by_eval = reply is LOST or reply.reason in _NO_SUCH_COMMAND
                return None if self.by_eval and reply is not LOST else reply
        return None

    def once_more(self, command: bytes, connection: RedisConnection, deadline: float) -> bytes:
        """Return what to send on `connection` after a reply that the script of `command` is not known."""
        if self.by_eval:
            return self.carried_by(command)
        self._reload(connection, deadline)
        return command

    def carried_by(self, command: bytes) -> bytes:
        """Return a command as it is sent to a server that has no scripts, or may have none."""
        return by_eval(command, self._by_sha) if self.by_eval else command

    def _reload(self, connection: RedisConnection, deadline: float) -> None:
        """Load the scripts. Replies come in order, so one loading serves all commands after it."""
        if not self._reloading:
            self._reloading = True
            last = [connection.send(load, deadline) for load in self._loads][-1]
            last.driver = Callback(self._reloaded)
            if last.done:
                self._reloaded()

    def _reloaded(self) -> None:
        self._reloading = False


def by_eval(command: bytes, scripts: Mapping[bytes, bytes]) -> bytes:
    """Return an EVALSHA as the EVAL with its script; any other command or script unchanged."""
    begin = command.find(_EVALSHA)
    script = scripts.get(command[begin + len(_EVALSHA) :][:40]) if 0 < begin < _LONGEST_COUNT else None
    if script is None:
        return command
    return b"%b$4\r\nEVAL\r\n$%d\r\n%b%b" % (
        command[:begin],
        len(script),
        script,
        command[begin + len(_EVALSHA) + 40 :],
    )
