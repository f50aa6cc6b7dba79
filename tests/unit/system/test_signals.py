import signal
import subprocess
import sys

import pytest

from gateway.system.signals import CHANGES, IGNORED, STOPS, install_early_handlers, name_of, pending_signals

PROGRAM = """
import os, signal, sys
from gateway.system import signals
signals.install_early_handlers(["gateway", {command!r}])
{body}
"""


def ends(body: str, command: str = "run") -> tuple[int, str]:
    """The exit code and the output."""
    program = PROGRAM.format(command=command, body=body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_to_stop_ends_a_starting_program_at_once(number: int) -> None:
    assert ends(f"os.kill(os.getpid(), {int(number)})") == (
        0,
        f"gateway: stopped by {name_of(number)} before it served\n",
    )


def test_changes_are_remembered_once_and_the_rest_is_ignored() -> None:
    body = f"""
for number in (*signals.IGNORED, *{[int(number) for number in CHANGES]}, signal.SIGUSR2):
    os.kill(os.getpid(), number)
print(signals.pending_signals(), signals.pending_signals())
"""
    assert ends(body) == (0, f"{[int(number) for number in CHANGES]} []\n")


def test_handlers_are_set_for_the_command_that_serves_only() -> None:
    before = {number: signal.getsignal(number) for number in (*STOPS, *CHANGES, *IGNORED)}
    try:
        install_early_handlers(["gateway", "check"])
        assert {number: signal.getsignal(number) for number in before} == before
        install_early_handlers(["gateway", "run"])
        assert [signal.getsignal(number) for number in IGNORED] == [signal.SIG_IGN] * len(IGNORED)
        assert all(callable(signal.getsignal(number)) for number in STOPS)
        for number in (CHANGES[-1], *CHANGES):
            signal.raise_signal(number)
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    assert pending_signals() == [CHANGES[-1], *CHANGES[:-1]]
    assert pending_signals() == []


def test_other_commands_are_ended_as_ever_unless_they_are_process_1() -> None:
    assert ends("os.kill(os.getpid(), signal.SIGTERM)", "check") == (-signal.SIGTERM, "")
    assert ends(
        "os.getpid = lambda: 1; signals.install_early_handlers(['gateway']); signal.raise_signal(signal.SIGTERM)",
        "check",
    ) == (
        143,
        "",
    )


def test_every_signal_that_ends_a_process_is_handled() -> None:
    for number in IGNORED:
        assert signal.getsignal(number) is not None
    assert pending_signals() == []
    assert [name_of(number) for number in (signal.SIGUSR1, signal.SIGRTMIN + 3)] == ["SIGUSR1", "SIGRTMIN+3"]
