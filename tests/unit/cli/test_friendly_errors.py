import errno
import socket
from pathlib import Path

import click
import pytest

from gateway.cli.friendly_errors import friendly_errors
from gateway.settings import parse


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EADDRINUSE, "another program listens there"),
        (errno.EADDRNOTAVAIL, "this machine has no such address"),
        (errno.EACCES, "choose a port above 1023"),
        (socket.EAI_NONAME, "no name server and no hosts file here knows it"),
        (errno.EMFILE, "raise the limit on open files"),
    ],
)
def test_an_error_of_the_system_comes_with_a_hint(number: int, hint: str) -> None:
    with pytest.raises(click.ClickException, match=hint) as raised, friendly_errors():
        raise OSError(number, "what the system says")
    assert raised.value.exit_code == 1
    assert raised.value.message.startswith("what the system says; ")


def test_an_error_without_a_hint_is_printed_as_it_is() -> None:
    with pytest.raises(click.ClickException, match=r"^No space left$"), friendly_errors():
        raise OSError(errno.ENOSPC, "No space left")


def test_a_file_is_named() -> None:
    with pytest.raises(click.ClickException, match=r"ca\.pem: No such file"), friendly_errors():
        Path("ca.pem").read_text()


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(ZeroDivisionError), friendly_errors():
        raise ZeroDivisionError


def test_a_configuration_that_is_wrong_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, friendly_errors():
        parse("version: 2\n", "f.yaml")
    assert ended.value.code == 1
    assert "f.yaml:1:10: error: version: only version 1" in capsys.readouterr().err
