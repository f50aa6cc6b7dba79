"""Signals, from the first line of the program to the event loop that takes them over.

Laws:
 - A signal to stop counts whenever it comes. Process 1 of a container has no default handlers: what is sent to it
   before it has set its own is lost. So handlers are set before anything that takes time is imported.
 - While `gateway run` starts, a signal to stop ends it at once with 0, for it has nothing to finish, and the others are
   remembered for the event loop.
 - No signal that a person or a tool would send ends it without a line in the log: those that mean nothing here are
   ignored. Not those that say that the program is broken (SIGSEGV, SIGABRT …), nor those of job control.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Drain; a second one ends it at once."""
CHANGES = (signal.SIGHUP, signal.SIGUSR2)
"""Reload, hand over."""
_BREAKDOWNS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGTRAP, signal.SIGABRT}
_HARMLESS = {
    *(signal.SIGKILL, signal.SIGSTOP),  # nobody can do anything about these
    *(signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH),  # ignored by default
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),  # job control: it stands still until SIGCONT
    *(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them: the system call fails instead
}
IGNORED = tuple(sorted(signal.valid_signals() - {*STOPS, *CHANGES} - _BREAKDOWNS - _HARMLESS))
"""Those that would end a process by default, and that mean nothing here: SIGUSR1, SIGALRM, the real-time ones …"""

_noted: list[int] = []


def heed(arguments: Sequence[str]) -> None:
    """Set the first handlers. `arguments` are the program's, its name first."""
    if list(arguments[1:2]) == ["run"]:
        for number in STOPS:
            signal.signal(number, _stop_starting)
        for number in CHANGES:
            signal.signal(number, _note)
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
    elif os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)
        signal.signal(signal.SIGQUIT, _end)


def noted() -> list[int]:
    """Those of CHANGES that have come since `heed`, in their order; each is told once."""
    found, _noted[:] = list(dict.fromkeys(_noted)), []
    return found


def name_of(number: int) -> str:
    """As people write it."""
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _note(number: int, _: FrameType | None) -> None:
    _noted.append(number)


def _stop_starting(number: int, _: FrameType | None) -> None:
    os.write(2, f"gateway: stopped by {name_of(number)} before it served\n".encode())
    os._exit(0)


def _end(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
