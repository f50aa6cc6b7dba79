"""Resolves host names in threads, beside the event loop.

Laws:
 - Only the first call to a name waits for a look-up. After that the last result is used, and renewed every few seconds.
 - There is one look-up of a name at a time, each in a thread of its own, and at most MOST_THREADS of them: a name
   server that is slow for one name does not delay the others. A look-up that has not ended after LOST_S is given up. A
   name that another worker has just resolved is not looked up again.
 - While the name servers are away the last successful result is used, however old it is. When they answer that the name
   does not exist, it is used for GONE_S more.
 - An address that two look-ups in a row did not return has vanished, and the observers of the name are notified. (One
   look-up is not enough: a name with many addresses may be answered with only some of them each time.)
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
from gateway.net.name_memory import NameMemory

FRESH_S = 5.0
RETRY_S = 1.0
"""The time from a failure to the next look-up."""
RECENT_S = 60.0
"""A result of another worker that is not older than this is used like an own one."""
GONE_S = 60.0
LOST_S = 30.0
MOST_THREADS = 32
_GONE = (socket.EAI_NONAME, socket.EAI_NODATA)

Lookup: TypeAlias = Callable[[str], list[str]]
AddressObserver: TypeAlias = Callable[[frozenset[str]], None]
"""It is called with all addresses of the name that have not vanished."""


def system_lookup(host: str) -> list[str]:
    """Resolve `host` with the resolver of the system. It blocks. Raises OSError, UnicodeError."""
    return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))


def is_literal(host: str) -> bool:
    """Return whether `host` is an IP address already."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False


class _Entry:
    """The state of one name. Times are readings of the monotonic clock."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.found: list[str] = []
        """The addresses that the last successful look-up returned."""
        self.previous: frozenset[str] = frozenset()
        """The addresses that the look-up before it returned."""
        self.failure: OSError | None = None
        """The error of the last look-up, None after a successful one."""
        self.renew_at = 0.0
        self.gone_since: float | None = None
        self.began_at = self.answered_at = 0.0
        self.lookup_ended: asyncio.Future[None] | None = None
        self.observers: list[AddressObserver] = []


class NameResolver:
    """The resolver of one worker. `lookup` blocks and is called in threads. `memory` is shared with the other workers.

    A result is renewed after `fresh_s`.
    """

    def __init__(
        self,
        clock: Clock,
        memory: NameMemory | None = None,
        lookup: Lookup = system_lookup,
        *,
        fresh_s: float = FRESH_S,
    ) -> None:
        self._clock = clock
        self._fresh_s = fresh_s
        self._memory = memory or NameMemory()
        self._lookup = lookup
        self._entries: dict[str, _Entry] = {}
        self._threads = 0
        self._queue: deque[_Entry] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Names {len(self._entries)} known, {self._threads} being looked up>"

    async def addresses(self, host: str) -> Sequence[str]:
        """Return the addresses of `host`, at least one, in the order of the name server. Raises OSError.

        The first call for a name waits for the look-up, for which the caller should set a time-out.
        """
        entry = self._entry(host)
        if entry.found:
            if self._clock.monotonic() >= entry.renew_at:
                self._renew(entry)
            return entry.found
        if entry.failure is None or self._clock.monotonic() >= entry.renew_at:
            lookup_ended = self._renew(entry)
            await asyncio.shield(lookup_ended)
        if not entry.found:
            assert entry.failure is not None
            raise type(entry.failure)(*entry.failure.args)  # a copy, so that its traceback is that of this call
        return entry.found

    def watch(self, host: str, observer: AddressObserver) -> None:
        """Call `observer` whenever addresses of `host` have vanished."""
        self._entry(host).observers.append(observer)

    def refresh(self, host: str) -> None:
        """Look `host` up again, because its addresses do not answer and may have changed."""
        entry = self._entry(host)
        if self._clock.monotonic() - entry.began_at >= RETRY_S:
            entry.renew_at = 0.0
            self._renew(entry)

    def close(self) -> None:
        """Stop all look-ups. The results of those under way are dropped."""
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
        """Begin a look-up unless one is under way. Return a future that is done when it has ended."""
        now = self._clock.monotonic()
        if entry.lookup_ended is not None and now - entry.began_at < LOST_S:
            return entry.lookup_ended
        loop = asyncio.get_running_loop()
        if self._timer is None and not self._closed:
            self._timer = loop.call_later(self._fresh_s, self._renew_all)
        if entry.lookup_ended is None:
            entry.lookup_ended = loop.create_future()
        entry.began_at = now
        if self._threads < MOST_THREADS:
            self._start(entry, loop)
        elif entry not in self._queue:
            self._queue.append(entry)
        return entry.lookup_ended

    def _renew_all(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._fresh_s, self._renew_all)
        now = self._clock.monotonic()
        for entry in self._entries.values():
            known = self._memory.get(entry.host)
            if (
                known is not None
                and known[1] > entry.answered_at
                and now - known[1] < self._fresh_s
                and entry.lookup_ended is None
            ):
                self._found(entry, *known)
            elif entry.began_at:
                self._renew(entry)

    def _start(self, entry: _Entry, loop: asyncio.AbstractEventLoop) -> None:
        began_at = entry.began_at

        def run() -> None:
            found: list[str] | OSError
            try:
                found = self._lookup(entry.host)
            except OSError as error:
                found = error
            except UnicodeError as error:
                found = socket.gaierror(socket.EAI_NONAME, str(error))
            except BaseException as error:
                found = OSError(errno.EIO, repr(error))
            with contextlib.suppress(RuntimeError):  # the loop is closed
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
            return  # it was given up before, and another one is under way
        now = self._clock.monotonic()
        if isinstance(found, OSError):
            self._failed(entry, found, now)
        elif found:
            self._memory.put(entry.host, found, now)
            self._found(entry, found, now)
        else:
            self._failed(entry, OSError(errno.ENOENT, "no address"), now)
        lookup_ended, entry.lookup_ended = entry.lookup_ended, None
        if lookup_ended is not None:
            lookup_ended.set_result(None)

    def _found(self, entry: _Entry, found: list[str], when: float) -> None:
        now = self._clock.monotonic()
        log = structlog.get_logger()
        if entry.failure is not None and entry.found:
            log.info("name is looked up again", name=entry.host)
        vanished = entry.previous - frozenset(found) - frozenset(entry.found)
        if vanished:
            log.info(
                "addresses have changed",
                name=entry.host,
                addresses=", ".join(found),
                vanished=", ".join(sorted(vanished)),
            )
        entry.previous, entry.found = frozenset(entry.found), found
        entry.failure = entry.gone_since = None
        entry.renew_at = now + self._fresh_s
        entry.answered_at = when
        if vanished:
            self._notify(entry, frozenset(found) | entry.previous)

    def _failed(self, entry: _Entry, error: OSError, now: float) -> None:
        if entry.failure is None and entry.found:
            log = structlog.get_logger()
            log.warning(
                "name cannot be looked up", name=entry.host, reason=error.strerror, serving=", ".join(entry.found)
            )
        entry.failure = type(error)(*error.args)
        entry.renew_at = now + RETRY_S
        if not entry.found and error.errno not in _GONE and (known := self._memory.get(entry.host)) is not None:
            entry.found = known[0]
        if error.errno not in _GONE:
            entry.gone_since = None
        elif entry.gone_since is None:
            entry.gone_since = now
        elif now - entry.gone_since >= GONE_S and entry.found:
            entry.found, entry.previous = [], frozenset()
            self._memory.put(entry.host, [], now)
            self._notify(entry, frozenset())

    def _notify(self, entry: _Entry, present: frozenset[str]) -> None:
        for observer in entry.observers:
            observer(present)
