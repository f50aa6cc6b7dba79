"""cli/top/command.py: once for programs, and over and over for people at a terminal."""

import contextlib
import json
import os
import pty
import select
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.unit.cli.top.pages import admin_of, history, measures

WITHIN_S = 20.0
PAGES = {
    "/history": history(
        routes=[{"route": "orders", **measures(60)}, {"route": "slow", **measures(6, p95=900.0)}],
        keys=[{"key": "acme-ci", **measures(60)}],
    ),
    "/limiter": {"workers": [{"redis": {"up": True}}]},
    "/targets": {"upstreams": [{"id": "u", "circuit": None, "targets": [{"url": "http://a", "state": "down"}]}]},
    "/readyz": {"status": "ready", "reasons": []},
}


def top(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["top", *arguments])


def test_programs_get_numbers() -> None:
    with admin_of(PAGES) as one, admin_of({"/history": history()}) as two:
        done = top(
            "--once", "--output", "json", "--sort", "p95", "--admin", one, "--admin", two, "--admin", "127.0.0.1:1"
        )
    found = json.loads(done.stdout)
    assert (done.exit_code, found["total"]["requests_per_s"]) == (0, 20.0)
    assert [row["name"] for row in found["routes"]] == ["slow", "orders"]
    assert found["gateways"] == [
        {"admin": one, "ready": True, "redis": "up", "requests_per_s": 10.0},
        {"admin": two, "ready": False, "redis": None, "requests_per_s": 10.0},
    ]
    assert [(out["target"], out["state"], out["admin"]) for out in found["targets_out"]] == [("http://a", "down", one)]
    assert found["not_answered"][0].startswith("127.0.0.1:1: no gateway answers")


def test_people_get_a_table() -> None:
    with admin_of(PAGES) as address:
        done = top("--once", "--by", "keys", "--admin", address)
    assert "keys by requests" in done.stdout
    assert "acme-ci" in done.stdout


def test_nobody_there_exits_with_1() -> None:
    done = top("--once", "--admin", "127.0.0.1:1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no gateway answers at 127.0.0.1:1" in done.stderr


def test_without_a_terminal_it_says_what_to_write() -> None:
    assert "this needs a terminal; --once prints it once" in top().stderr
    assert "--output json goes with --once" in top("--output", "json").stderr


@contextlib.contextmanager
def terminal() -> Iterator[int]:
    """A terminal as standard input and output; its other end."""
    ours, theirs = pty.openpty()
    before = sys.stdin
    with open(theirs, "w", closefd=False) as output, open(theirs, closefd=False) as typed:
        sys.stdin = typed
        try:
            with contextlib.redirect_stdout(output):
                yield ours
        finally:
            sys.stdin = before
    os.close(theirs)
    os.close(ours)


def test_keys_change_the_table_and_the_order_and_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "xterm", "COLUMNS": "140", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)
    seen = bytearray()

    def read_until(ours: int, awaited: bytes) -> None:
        while awaited not in seen:
            assert select.select([ours], [], [], WITHIN_S)[0], f"{awaited!r} was never shown"
            seen.extend(os.read(ours, 1 << 16))

    def press(ours: int) -> None:
        try:
            for awaited, key in ((b"routes by requests", b"k"), (b"keys by requests", b"s"), (b"keys by errors", b"x")):
                read_until(ours, awaited)
                os.write(ours, key)
        finally:
            os.write(ours, b"q")
        read_until(ours, b"?1049l")  # the other screen is left

    with admin_of(PAGES) as address, terminal() as ours, ThreadPoolExecutor(1) as threads:
        pressed = threads.submit(press, ours)
        main(["top", "--interval", "60", "--admin", address], standalone_mode=False)
        pressed.result(WITHIN_S)
    assert b"acme-ci" in seen
