"""The listening sockets: bound once, shared with all generations of workers, open while clients may connect.

A listener has one socket for each worker (SO_REUSEPORT), so that the kernel distributes connections among the workers.
Each connection waits in the queue of one socket, which survives the worker that accepts from it. If there are more
sockets than workers, a worker has several.
"""

import socket
from collections.abc import Iterable, Sequence

from gateway.net.address import UnixAddress
from gateway.net.listen import BACKLOG, Bound, bind, known, shut, spelled
from gateway.settings.schema.server import ListenerSettings


class Sockets:
    """The sockets of all listeners, by `name_of`.

    `inherited` were bound by another process; their names are those of `name_of`, addresses, or ids of listeners.
    Sockets with `lasting` names belong to systemd, which keeps them after this process has ended.
    """

    def __init__(self, inherited: dict[str, list[socket.socket]] | None = None, lasting: Iterable[str] = ()) -> None:
        self.inherited = inherited or {}
        self.lasting = set(lasting)
        self._open: dict[str, list[Bound]] = {}

    def __repr__(self) -> str:
        return f"<Sockets {', '.join(f'{len(sockets)} × {name}' for name, sockets in self._open.items())}>"

    @property
    def open(self) -> dict[str, list[socket.socket]]:
        """The open sockets, by name."""
        return {name: [bound.sock for bound in each] for name, each in self._open.items()}

    def provide(self, listeners: Sequence[ListenerSettings], count: int) -> None:
        """Ensure that there are `count` sockets for each listener.

        Raises an OSError that names the address, and has then opened none.
        """
        begun: list[tuple[str, Bound]] = []
        try:
            for listener in listeners:
                name = name_of(listener)
                have = self._open.get(name) or [
                    known(sock) for sock in self._adopted(name, str(listener.address), listener.id)
                ]
                self._open[name] = have
                while not have or (len(have) < count and _can_have_siblings(have[0].sock)):
                    have.append(
                        bind(listener.address, mode=listener.mode, reuseport_sibling=have[0].sock if have else None)
                    )
                    begun.append((name, have[-1]))
        except OSError:
            for name, bound in begun:
                self._open[name].remove(bound)
                bound.release()
            self._open = {name: each for name, each in self._open.items() if each}
            raise

    def share(
        self, listeners: Sequence[ListenerSettings], worker: int, count: int
    ) -> list[tuple[ListenerSettings, list[socket.socket]]]:
        """Return the sockets from which the worker number `worker` of `count` accepts."""
        found = []
        for listener in listeners:
            sockets = [bound.sock for bound in self._open[name_of(listener)]]
            # With fewer sockets than workers, several workers share one.
            found.append((listener, sockets[worker::count] or [sockets[worker % len(sockets)]]))
        return found

    def close_unused(self) -> None:
        """Close the inherited sockets that no listener uses."""
        for name in [*self.inherited]:
            for sock in self.inherited.pop(name):
                sock.close()

    def release(self, listeners: Sequence[ListenerSettings]) -> None:
        """Close all sockets except those of `listeners`; remove files of unix sockets that are not systemd's."""
        names = {name_of(listener) for listener in listeners}
        for name in [name for name in self._open if name not in names]:
            for bound in self._open.pop(name):
                if name in self.lasting:
                    bound.sock.close()
                else:
                    bound.release()

    def ours(self, listeners: Sequence[ListenerSettings]) -> list[int]:
        """Return the numbers of the listeners whose sockets end with this process: those that are not systemd's."""
        return [number for number, listener in enumerate(listeners) if name_of(listener) not in self.lasting]

    def reject(self) -> None:
        """Have the kernel refuse new connections, and reset those that wait.

        No other process can bind the addresses meanwhile.

        `listen` ends this for TCP sockets; unix sockets have to be created again, by `reopen`.
        """
        for name, each in self._open.items():
            for bound in each if name not in self.lasting else ():
                if bound.file is not None:
                    bound.release()
                else:
                    shut(bound.sock)

    def reopen(self, listeners: Sequence[ListenerSettings]) -> None:
        """Create the unix sockets that `reject` has closed. Raises OSError."""
        for listener in listeners:
            name = name_of(listener)
            if self._open[name][0].sock.fileno() < 0:
                self._open[name] = [bind(listener.address, mode=listener.mode)]

    def listen(self, listeners: Sequence[ListenerSettings], worker: int, count: int) -> None:
        """Have connections wait again for the worker number `worker` of `count`, which is about to accept them."""
        for _, sockets in self.share(listeners, worker, count):
            for sock in sockets:
                sock.listen(BACKLOG)

    def addresses(self, listeners: Sequence[ListenerSettings]) -> list[str]:
        return [spelled(self._open[name_of(listener)][0].sock) for listener in listeners]

    def _adopted(self, *names: str) -> list[socket.socket]:
        for name in names:
            if name in self.inherited:
                if name in self.lasting:
                    self.lasting.add(names[0])
                return self.inherited.pop(name)
        return []


def name_of(listener: ListenerSettings) -> str:
    """Return the name of a listener's sockets: its address, preceded by its id if the system chooses the port."""
    if isinstance(listener.address, UnixAddress) or listener.address.port:
        return str(listener.address)
    return f"{listener.id}@{listener.address}"


def _can_have_siblings(sock: socket.socket) -> bool:
    return sock.family != socket.AF_UNIX and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
