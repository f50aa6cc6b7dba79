"""cli/top/keyboard.py: keys of a terminal, one by one."""

import os
import pty
import termios

import pytest

from gateway.cli.top.keyboard import keyboard


def test_keys_come_without_enter_and_the_terminal_is_as_before() -> None:
    ours, theirs = pty.openpty()
    try:
        before = termios.tcgetattr(theirs)
        with keyboard(theirs) as keys:
            assert keys.wait(0.0) == ""
            os.write(ours, b"Sq\xff")
            assert [keys.wait(10.0) for _ in range(3)] == ["s", "q", "\ufffd"]
            assert keys.wait(-1.0) == ""
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(theirs)
        os.close(ours)


def test_a_pipe_is_no_terminal() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(termios.error), keyboard(reading):
            raise AssertionError
    finally:
        os.close(reading)
        os.close(writing)
