import os
import signal
import subprocess
import sys

from gateway.supervisor.fork import EXIT_BUG

PROGRAM = """
import os, signal, sys
from gateway.supervisor.fork import fork

kept, closed = os.memfd_create("kept"), os.memfd_create("closed")
signal.signal(signal.SIGTERM, lambda *_: print("never in a child"))

def run():
    {body}

status = os.waitpid(fork(run, [kept]), 0)[1]
print(os.waitstatus_to_exitcode(status))
"""


def told(body: str) -> list[str]:
    """What a program prints that forks a child which does this."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(body=body)], capture_output=True, text=True, timeout=30)
    return [*done.stdout.splitlines(), *done.stderr.splitlines()[-1:]]


def test_a_child_ends_with_what_it_returns_and_goes_nowhere_else() -> None:
    assert told("return 7") == ["7"]


def test_it_has_none_of_the_parent_s_descriptors_but_those_it_is_given() -> None:
    body = "os.fstat(kept)\n    try: os.fstat(closed)\n    except OSError: return 3"
    assert told(body) == ["3"]


def test_the_parent_s_handlers_are_not_its_own() -> None:
    assert told("os.kill(os.getpid(), signal.SIGTERM)") == [str(-signal.SIGTERM)]


def test_a_terminal_s_interrupt_is_the_supervisor_s_affair() -> None:
    assert told("os.kill(os.getpid(), signal.SIGINT); return 4") == ["4"]


def test_a_bug_ends_it_with_a_code_of_its_own_and_a_traceback() -> None:
    assert told("raise KeyError('lost')") == [str(EXIT_BUG), "KeyError: 'lost'"]


def test_codes_are_those_of_sysexits() -> None:
    assert EXIT_BUG == os.EX_SOFTWARE
