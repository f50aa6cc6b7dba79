"""Sockets of workers that are lost, from which another one accepts meanwhile."""

import socket
from collections.abc import Iterable, Sequence

from gateway.edge.listener import Listener


class BorrowedSockets:
    """Of one worker with these `listeners`."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self._by_slot: dict[int, list[tuple[Listener, socket.socket]]] = {}

    def __repr__(self) -> str:
        return f"<BorrowedSockets of slots {sorted(self._by_slot)}>"

    def take(self, slot: int, number: int, fds: Iterable[int]) -> None:
        """Accept from `fds` too: those of the worker in `slot` and the listener with that `number`. They are closed in the end."""
        listener = self._listeners[number]
        for fd in fds:
            sock = socket.socket(fileno=fd)
            if listener.closed:
                sock.close()
            else:
                self._by_slot.setdefault(slot, []).append((listener, sock))
                listener.borrow(sock)

    def give_back(self, slot: int) -> None:
        """Accept no longer from what is borrowed of `slot`."""
        for listener, sock in self._by_slot.pop(slot, ()):
            listener.leave(sock)
