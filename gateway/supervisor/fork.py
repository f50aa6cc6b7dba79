"""A child that runs one function and nothing else of its parent."""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h."""
_OURS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGQUIT)


def fork(run: Callable[[], int], keep: Iterable[int]) -> int:
    """Start a child that ends with what `run` returns; it has standard input and output and the descriptors `keep`. Its id.

    For a process without other threads: what they hold at this instant would be held in the child for ever.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid
    code = EXIT_BUG
    try:
        # Before any signal: the parent's handlers would write into the parent's loop.
        signal.set_wakeup_fd(-1)
        for number in _OURS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of us; what to do is the supervisor's to say
        _close_all_but({0, 1, 2, *keep})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        code = run()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _close_all_but(keep: set[int]) -> None:
    for fd in [int(file.name) for file in Path("/proc/self/fd").iterdir()]:
        if fd not in keep:
            with contextlib.suppress(OSError):
                os.close(fd)
