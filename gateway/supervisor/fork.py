"""A child that runs one function and nothing else of its parent."""

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
    """Start a child that ends with what `run` returns; it has standard input and output and the descriptors `keep`. Its id.

    For a process without other threads: what they hold at this instant would be held in the child for ever. The child
    ignores signals: a terminal and a service manager send them to all of us, and what to do is the parent's to say.
    Raises OSError when the system has no more processes or no memory.
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
        # Before any signal: the parent's handlers would write into the parent's loop.
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
    """Take away what is left of children that nobody here has started, all but `own` ids.

    Process 1 of a container becomes the parent of every orphan; so does a program that a shell became by `exec`.
    """
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None and ended.si_pid not in own:
            os.waitpid(ended.si_pid, os.WNOHANG)


def _close_all_but(keep: set[int]) -> None:
    for fd in [int(file.name) for file in Path("/proc/self/fd").iterdir()]:
        if fd not in keep:
            with contextlib.suppress(OSError):
                os.close(fd)
