"""The listening sockets: bound once, shared with whoever serves, never closed while somebody may connect.

A listener has one socket for each worker (SO_REUSEPORT), so that the kernel spreads connections and each waits in the
queue of one worker, whoever that is at the time: a queue outlives the process that takes from it. Where there are more
sockets than workers, a worker has several.
"""

import socket
from collections.abc import Iterable, Sequence

from gateway.net.address import UnixAddress
from gateway.net.listen import BACKLOG, Bound, bind, known, shut, spelled
from gateway.settings.schema.server import ListenerSettings


class Sockets:
    """Of all listeners, by `name_of`. `inherited` were bound by somebody else: by that name, their address or a listener's id.

    Those of `lasting` names belong to somebody who keeps them when we are gone, and who has others serve on them: systemd.
    """

    def __init__(self, inherited: dict[str, list[socket.socket]] | None = None, lasting: Iterable[str] = ()) -> None:
        self.inherited = inherited or {}
        self.lasting = set(lasting)
        self._open: dict[str, list[Bound]] = {}

    def __repr__(self) -> str:
        return f"<Sockets {', '.join(f'{len(sockets)} × {name}' for name, sockets in self._open.items())}>"

    @property
    def open(self) -> dict[str, list[socket.socket]]:
        """By name."""
        return {name: [bound.sock for bound in each] for name, each in self._open.items()}

    def provide(self, listeners: Sequence[ListenerSettings], count: int) -> None:
        """Have `count` sockets for each listener. Raises OSError that names the address, and then has as many as before."""
        begun: list[tuple[str, Bound]] = []
        try:
            for listener in listeners:
                name = name_of(listener)
                have = self._open.get(name) or [known(sock) for sock in self._adopted(name, str(listener.address), listener.id)]
                self._open[name] = have
                while not have or (len(have) < count and _can_have_brothers(have[0].sock)):
                    have.append(bind(listener.address, mode=listener.mode, reuseport_sibling=have[0].sock if have else None))
                    begun.append((name, have[-1]))
        except OSError:
            for name, bound in begun:
                self._open[name].remove(bound)
                bound.release()
            self._open = {name: each for name, each in self._open.items() if each}
            raise

    def share(self, listeners: Sequence[ListenerSettings], worker: int, count: int) -> list[tuple[ListenerSettings, list[socket.socket]]]:
        """Those that `worker` of `count` accepts on."""
        found = []
        for listener in listeners:
            sockets = [bound.sock for bound in self._open[name_of(listener)]]
            # Fewer sockets than workers: some share one.
            found.append((listener, sockets[worker::count] or [sockets[worker % len(sockets)]]))
        return found

    def disown(self) -> None:
        """Close what was inherited and that nobody wants."""
        for name in [*self.inherited]:
            for sock in self.inherited.pop(name):
                sock.close()

    def release(self, listeners: Sequence[ListenerSettings]) -> None:
        """Close all but those of `listeners`; the files of unix sockets go, unless they are systemd's."""
        names = {name_of(listener) for listener in listeners}
        for name in [name for name in self._open if name not in names]:
            for bound in self._open.pop(name):
                if name in self.lasting:
                    bound.sock.close()
                else:
                    bound.release()

    def ours(self, listeners: Sequence[ListenerSettings]) -> list[int]:
        """The numbers of those whose sockets nobody keeps when we are gone."""
        return [number for number, listener in enumerate(listeners) if name_of(listener) not in self.lasting]

    def refuse(self) -> None:
        """Have connections refused at once, and reset those that wait: nobody is going to accept them.

        The addresses stay ours. `listen` ends this for TCP sockets; unix sockets have to be made anew, by `reopen`.
        """
        for name, each in self._open.items():
            for bound in each if name not in self.lasting else ():
                if bound.file is not None:
                    bound.release()
                else:
                    shut(bound.sock)

    def reopen(self, listeners: Sequence[ListenerSettings]) -> None:
        """Unix sockets in the place of those that `refuse` has closed. Raises OSError."""
        for listener in listeners:
            name = name_of(listener)
            if self._open[name][0].sock.fileno() < 0:
                self._open[name] = [bind(listener.address, mode=listener.mode)]

    def listen(self, listeners: Sequence[ListenerSettings], worker: int, count: int) -> None:
        """Have connections wait for `worker` of `count`, who is about to accept them."""
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
    """What tells listeners apart: the address, unless the system is to choose."""
    if isinstance(listener.address, UnixAddress) or listener.address.port:
        return str(listener.address)
    return f"{listener.id}@{listener.address}"


def _can_have_brothers(sock: socket.socket) -> bool:
    return sock.family != socket.AF_UNIX and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
