"""Sockets of workers that have exited, from which another worker accepts until they are replaced."""

import socket
from collections.abc import Iterable, Sequence

from gateway.edge.listener import Listener


class BorrowedSockets:
    """The borrowed sockets of one worker with these `listeners`."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self._by_slot: dict[int, list[tuple[Listener, socket.socket]]] = {}

    def __repr__(self) -> str:
        return f"<BorrowedSockets of slots {sorted(self._by_slot)}>"

    def take(self, slot: int, number: int, fds: Iterable[int]) -> None:
        """Accept also from `fds`, the sockets of the worker in `slot` for the listener with that `number`.

        They are closed at the end.
        """
        listener = self._listeners[number]
        for fd in fds:
            sock = socket.socket(fileno=fd)
            if listener.closed:
                sock.close()
            else:
                self._by_slot.setdefault(slot, []).append((listener, sock))
                listener.borrow(sock)

    def give_back(self, slot: int) -> None:
        """Stop to accept from the sockets of the worker in `slot`."""
        for listener, sock in self._by_slot.pop(slot, ()):
            listener.leave(sock)
