"""Signal handling from the start of the program until the event loop takes over.

Laws:
 - A signal to stop is never lost. Process 1 of a container has no default handlers: a signal that arrives before it has
   set its own is lost. So handlers are set before anything that takes time is imported.
 - While `gateway run` starts, a signal to stop ends it at once with exit code 0, because it has nothing to finish; the
   other signals are kept for the event loop.
 - No signal that a person or a tool would send ends the program without a line in the log: signals without a meaning
   for it are ignored. Exceptions are signals of a broken program (SIGSEGV, SIGABRT …) and those of job control.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Signals that begin a drain. A second one ends the program at once."""
CHANGES = (signal.SIGHUP, signal.SIGUSR2)
"""Signals that cause a reload and a hand-over, in this order."""
_BREAKDOWNS = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSYS,
    signal.SIGTRAP,
    signal.SIGABRT,
}
_HARMLESS = {
    *(signal.SIGKILL, signal.SIGSTOP),  # cannot be handled
    *(signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH),  # ignored by default
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),  # job control: the program is stopped until SIGCONT
    *(signal.SIGPIPE, signal.SIGXFSZ),  # ignored by Python: the system call fails instead
}
IGNORED = tuple(sorted(signal.valid_signals() - {*STOPS, *CHANGES} - _BREAKDOWNS - _HARMLESS))
"""Signals that would end a process by default and have no meaning for the gateway:

SIGUSR1, SIGALRM, real-time signals …
"""

_pending: list[int] = []


def install_early_handlers(arguments: Sequence[str]) -> None:
    """Set the handlers of the starting program. `arguments` are those of the program; the first one is its name."""
    if list(arguments[1:2]) == ["run"]:
        for number in STOPS:
            signal.signal(number, _stop_starting)
        for number in CHANGES:
            signal.signal(number, _keep)
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
    elif os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)
        signal.signal(signal.SIGQUIT, _end)


def pending_signals() -> list[int]:
    """Return the signals of CHANGES that have arrived while the program started, each once, and forget them."""
    found, _pending[:] = list(dict.fromkeys(_pending)), []
    return found


def name_of(number: int) -> str:
    """Return the name of a signal, such as "SIGTERM" or "SIGRTMIN+3"."""
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _keep(number: int, _: FrameType | None) -> None:
    _pending.append(number)


def _stop_starting(number: int, _: FrameType | None) -> None:
    os.write(2, f"gateway: stopped by {name_of(number)} before it served\n".encode())
    os._exit(0)


def _end(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
