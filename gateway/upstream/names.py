"""The addresses of names, looked up beside the event loop.

Laws:
 - Only the first call to a name waits for a look-up. After that the last answer serves, and it is renewed every few seconds.
 - There is one look-up of a name at a time, each in a thread of its own, and at most MOST_THREADS of them: a name server
   that is slow for one name holds up no other. One that has not ended after LOST_S is given up. What another worker has
   just found is not looked up again.
 - While name servers are away the last good answer serves, however old it is. When they say that there is no such name, it
   serves for GONE_S more.
 - An address that two look-ups in a row did not find has vanished, and whoever watches the name is told. (One is not
   enough: a name with many addresses may be answered with some of them each time.)
"""

import asyncio
import contextlib
import errno
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

import structlog

from gateway.kernel.clock import Clock
from gateway.upstream.name_memory import NameMemory

FRESH_S = 5.0
RETRY_S = 1.0
"""After a failure, until the next look-up."""
RECENT_S = 60.0
"""What others found within this time is as good as an answer of our own."""
GONE_S = 60.0
LOST_S = 30.0
MOST_THREADS = 32
_GONE = (socket.EAI_NONAME, socket.EAI_NODATA)

LookUp: TypeAlias = Callable[[str], list[str]]
Watcher: TypeAlias = Callable[[frozenset[str]], None]
"""Is called with all addresses of the name that have not vanished."""


def system_look_up(host: str) -> list[str]:
    """As the system does it. Blocks; raises OSError, UnicodeError."""
    return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))


def is_literal(host: str) -> bool:
    """Whether it is an address already."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False


class _Entry:
    """What is known of a name. Times are readings of the monotonic clock."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.found: list[str] = []
        """The last good answer."""
        self.before: frozenset[str] = frozenset()
        """The one before it."""
        self.failure: OSError | None = None
        """Why there is none, or none newer."""
        self.again_at = 0.0
        self.gone_since: float | None = None
        self.began_at = self.answered_at = 0.0
        self.looking: asyncio.Future[None] | None = None
        self.watchers: list[Watcher] = []


class Names:
    """Of one worker. `look_up` blocks; it is called in threads. `memory` is shared with other workers.

    An answer is renewed after `fresh_s`.
    """

    def __init__(
        self, clock: Clock, memory: NameMemory | None = None, look_up: LookUp = system_look_up, *, fresh_s: float = FRESH_S
    ) -> None:
        self._clock = clock
        self._fresh_s = fresh_s
        self._memory = memory or NameMemory()
        self._look_up = look_up
        self._entries: dict[str, _Entry] = {}
        self._threads = 0
        self._queue: deque[_Entry] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Names {len(self._entries)} known, {self._threads} being looked up>"

    async def addresses(self, host: str) -> Sequence[str]:
        """In the resolver's order, at least one. Raises OSError: who waits for it should not wait for ever."""
        entry = self._entry(host)
        if entry.found:
            if self._clock.monotonic() >= entry.again_at:
                self._renew(entry)
            return entry.found
        if entry.failure is None or self._clock.monotonic() >= entry.again_at:
            looking = self._renew(entry)
            await asyncio.shield(looking)
        if not entry.found:
            assert entry.failure is not None
            raise type(entry.failure)(*entry.failure.args)  # a new one: its traceback is the caller's
        return entry.found

    def watch(self, host: str, watcher: Watcher) -> None:
        """Have `watcher` told when addresses of `host` have vanished."""
        self._entry(host).watchers.append(watcher)

    def doubt(self, host: str) -> None:
        """Nobody answers at the addresses of `host`: they may be others by now."""
        entry = self._entry(host)
        if self._clock.monotonic() - entry.began_at >= RETRY_S:
            entry.again_at = 0.0
            self._renew(entry)

    def close(self) -> None:
        """Look up no more. What is under way is forgotten."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _entry(self, host: str) -> _Entry:
        entry = self._entries.get(host)
        if entry is None:
            entry = self._entries[host] = _Entry(host)
            known = self._memory.get(host)
            if known is not None and self._clock.monotonic() - known[1] < RECENT_S:
                entry.found = known[0]
        return entry

    def _renew(self, entry: _Entry) -> "asyncio.Future[None]":
        """Begin a look-up, unless one is under way; done when it has ended."""
        now = self._clock.monotonic()
        if entry.looking is not None and now - entry.began_at < LOST_S:
            return entry.looking
        loop = asyncio.get_running_loop()
        if self._timer is None and not self._closed:
            self._timer = loop.call_later(self._fresh_s, self._renew_all)
        if entry.looking is None:
            entry.looking = loop.create_future()
        entry.began_at = now
        if self._threads < MOST_THREADS:
            self._start(entry, loop)
        elif entry not in self._queue:
            self._queue.append(entry)
        return entry.looking

    def _renew_all(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._fresh_s, self._renew_all)
        now = self._clock.monotonic()
        for entry in self._entries.values():
            known = self._memory.get(entry.host)
            if known is not None and known[1] > entry.answered_at and now - known[1] < self._fresh_s and entry.looking is None:
                self._found(entry, *known)
            elif entry.began_at:
                self._renew(entry)

    def _start(self, entry: _Entry, loop: asyncio.AbstractEventLoop) -> None:
        began_at = entry.began_at

        def run() -> None:
            found: list[str] | OSError
            try:
                found = self._look_up(entry.host)
            except OSError as error:
                found = error
            except UnicodeError as error:
                found = socket.gaierror(socket.EAI_NONAME, str(error))
            except BaseException as error:
                found = OSError(errno.EIO, repr(error))
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._ended, entry, began_at, found)

        self._threads += 1
        try:
            threading.Thread(target=run, name=f"look up {entry.host}", daemon=True).start()
        except RuntimeError as error:
            loop.call_soon(self._ended, entry, began_at, OSError(errno.EAGAIN, str(error)))

    def _ended(self, entry: _Entry, began_at: float, found: list[str] | OSError) -> None:
        self._threads -= 1
        if self._queue and not self._closed:
            self._start(self._queue.popleft(), asyncio.get_running_loop())
        if began_at != entry.began_at and isinstance(found, OSError):
            return  # it was given up, and another one is under way
        now = self._clock.monotonic()
        if isinstance(found, OSError):
            self._failed(entry, found, now)
        elif found:
            self._memory.put(entry.host, found, now)
            self._found(entry, found, now)
        else:
            self._failed(entry, OSError(errno.ENOENT, "no address"), now)
        looking, entry.looking = entry.looking, None
        if looking is not None:
            looking.set_result(None)

    def _found(self, entry: _Entry, found: list[str], when: float) -> None:
        now = self._clock.monotonic()
        log = structlog.get_logger()
        if entry.failure is not None and entry.found:
            log.info("name is looked up again", name=entry.host)
        vanished = entry.before - frozenset(found) - frozenset(entry.found)
        if vanished:
            log.info("addresses have changed", name=entry.host, addresses=", ".join(found), vanished=", ".join(sorted(vanished)))
        entry.before, entry.found = frozenset(entry.found), found
        entry.failure = entry.gone_since = None
        entry.again_at = now + self._fresh_s
        entry.answered_at = when
        if vanished:
            self._tell(entry, frozenset(found) | entry.before)

    def _failed(self, entry: _Entry, error: OSError, now: float) -> None:
        if entry.failure is None and entry.found:
            log = structlog.get_logger()
            log.warning("name cannot be looked up", name=entry.host, reason=error.strerror, serving=", ".join(entry.found))
        entry.failure = type(error)(*error.args)
        entry.again_at = now + RETRY_S
        if not entry.found and error.errno not in _GONE and (known := self._memory.get(entry.host)) is not None:
            entry.found = known[0]
        if error.errno not in _GONE:
            entry.gone_since = None
        elif entry.gone_since is None:
            entry.gone_since = now
        elif now - entry.gone_since >= GONE_S and entry.found:
            entry.found, entry.before = [], frozenset()
            self._memory.put(entry.host, [], now)
            self._tell(entry, frozenset())

    def _tell(self, entry: _Entry, present: frozenset[str]) -> None:
        for watcher in entry.watchers:
            watcher(present)
