"""Child processes that run one function and share nothing else with their parent."""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from gateway.system.signals import CHANGES, IGNORED, STOPS

EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h."""


def fork(run: Callable[[], int], keep: Iterable[int]) -> int:
    """Start a child that exits with what `run` returns; return its id.

    It keeps the standard streams and the descriptors `keep`.

    For a process without other threads: a lock that one of them holds at this moment would stay locked in the child.
    The child ignores signals, because a terminal and a service manager send them to the whole group; the parent decides
    what happens. Raises OSError when the system has no more processes or no memory.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid
    code = EXIT_BUG
    try:
        # Before signals are unblocked: the parent's handlers would write into the parent's event loop.
        signal.set_wakeup_fd(-1)
        for number in (*STOPS, *CHANGES, *IGNORED):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _close_all_but({0, 1, 2, *keep})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        code = run()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def reap_strangers(own: Collection[int]) -> None:
    """Reap ended children that this program has not started: all except those with the ids `own`.

    Process 1 of a container becomes the parent of every orphan; a program that a shell has executed with `exec`
    inherits the children of the shell.
    """
    with contextlib.suppress(ChildProcessError):
        while (
            ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        ) is not None and ended.si_pid not in own:
            os.waitpid(ended.si_pid, os.WNOHANG)


def _close_all_but(keep: set[int]) -> None:
    for fd in [int(file.name) for file in Path("/proc/self/fd").iterdir()]:
        if fd not in keep:
            with contextlib.suppress(OSError):
                os.close(fd)
