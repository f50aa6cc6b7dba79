import os
import signal
import subprocess
import sys

import pytest

from gateway.system.fork import EXIT_BUG
from gateway.system.signals import CHANGES, STOPS

PROGRAM = """
import os, signal, sys
from gateway.system.fork import fork

kept, closed = os.memfd_create("kept"), os.memfd_create("closed")
signal.signal(signal.SIGTERM, lambda *_: print("never in a child"))

def run():
    {body}

status = os.waitpid(fork(run, [kept]), 0)[1]
print(os.waitstatus_to_exitcode(status))
"""


def output(body: str) -> list[str]:
    """What a program prints that forks a child which does this."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(body=body)], capture_output=True, text=True, timeout=30)
    return [*done.stdout.splitlines(), *done.stderr.splitlines()[-1:]]


def test_a_child_ends_with_what_it_returns_and_goes_nowhere_else() -> None:
    assert output("return 7") == ["7"]


def test_it_has_none_of_the_parent_s_descriptors_but_those_it_is_given() -> None:
    body = "os.fstat(kept)\n    try: os.fstat(closed)\n    except OSError: return 3"
    assert output(body) == ["3"]


@pytest.mark.parametrize("number", [*STOPS, *CHANGES, signal.SIGUSR1, signal.SIGALRM])
def test_a_child_ignores_signals_to_its_process_group(number: int) -> None:
    assert output(f"os.kill(os.getpid(), {int(number)}); return 4") == ["4"]


def test_after_a_failed_fork_the_parent_still_gets_signals() -> None:
    program = """
import errno, signal, sys
from gateway.system.fork import fork

def refuse(event, _):
    if event == "os.fork":
        raise OSError(errno.EAGAIN, "no process")

sys.addaudithook(refuse)
try:
    fork(lambda: 0, [])
except OSError as error:
    print(error.errno == errno.EAGAIN, signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30).stdout
        == "True set()\n"
    )


def test_foreign_children_are_reaped_and_own_children_are_not() -> None:
    program = """
import os, signal
from gateway.system.fork import fork, reap_strangers

ours = fork(lambda: 5, [])
os.waitid(os.P_PID, ours, os.WEXITED | os.WNOWAIT)
reap_strangers({ours})
print(os.waitstatus_to_exitcode(os.waitpid(ours, 0)[1]))
strangers = [fork(lambda: 6, []) for _ in range(3)]
for pid in strangers:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
reap_strangers(())
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("none left")
reap_strangers(())
"""
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30).stdout
        == "5\nnone left\n"
    )


def test_a_bug_ends_the_child_with_its_own_exit_code_and_a_traceback() -> None:
    assert output("raise KeyError('lost')") == [str(EXIT_BUG), "KeyError: 'lost'"]


def test_codes_are_those_of_sysexits() -> None:
    assert EXIT_BUG == os.EX_SOFTWARE
