import asyncio
import json
import logging
import os
import pty
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp.http_exceptions import BadStatusLine

from gateway.observe.access_log import AccessRecord
from gateway.observe.log import Log, announce, installed_log
from gateway.observe.writer import Writer
from gateway.settings import parse
from tests.yaml_files import LEAST

CANARY = "gw_CANARY"

NOON_S = 1_780_315_200.25


class Printed:
    """A log that writes to a file, and what it wrote."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.log = Log(lambda: NOON_S, secret_names=["X-Api-Key"], fd=self._fd, **options)
        self.log.install()
        self.log.start()
        self.out = structlog.get_logger()

    def text(self) -> str:
        if self._fd >= 0:
            assert self.log.close(10)
            os.close(self._fd)
            self._fd = -1
        return self._path.read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def process() -> Iterator[None]:
    """`Log.install` is for a whole process, which here is shared."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def printing(process: None, tmp_path: Path) -> Iterator[Callable[..., Printed]]:
    made: list[Printed] = []

    def make(**options: Any) -> Printed:
        made.append(Printed(tmp_path / f"log {len(made)}", options))
        return made[-1]

    yield make
    for each in made:
        each.text()


def test_what_is_no_terminal_gets_json(printing: Callable[..., Printed]) -> None:
    printed = printing()
    printed.out.info("hello", routes=3, name="é", where=["a", "b"])
    assert list(printed.lines()[0].items()) == [
        ("timestamp", "2026-06-01T12:00:00.250Z"),
        ("level", "info"),
        ("event", "hello"),
        ("routes", 3),
        ("name", "é"),
        ("where", ["a", "b"]),
    ]


def test_the_first_line_states_what_runs(printing: Callable[..., Printed]) -> None:
    printed = printing()
    announce(
        config="gateway.yaml",
        listeners=["0.0.0.0:8080"],
        admin="127.0.0.1:9901",
        limiter="local",
        routes=3,
        keys=2,
        workers=4,
        version="0.1.0",
    )
    (line,) = printed.lines()
    assert (line["event"], line["level"], line["version"]) == ("started", "info", "0.1.0")
    assert (line["config"], line["listeners"], line["admin"]) == ("gateway.yaml", ["0.0.0.0:8080"], "127.0.0.1:9901")
    assert (line["limiter"], line["routes"], line["keys"], line["workers"]) == ("local", 3, 2, 4)
    assert (line["pid"], line["compiled"]) == (os.getpid(), False)


@pytest.mark.parametrize(
    ("level", "seen"),
    [("debug", ["d", "i", "w", "e"]), ("info", ["i", "w", "e"]), ("warning", ["w", "e"]), ("error", ["e"])],
)
def test_lower_levels_are_left_out(printing: Callable[..., Printed], level: str, seen: list[str]) -> None:
    printed = printing(level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(printed.out, name)(name[0])
    assert [line["event"] for line in printed.lines()] == seen


def test_operational_and_access_lines_share_the_writer(printing: Callable[..., Printed]) -> None:
    printed = printing()
    for n in range(300):
        printed.log.access.write(AccessRecord(request_id=str(n), method="GET", status=200), NOON_S)
        printed.out.info("between", n=n)
    found = printed.lines()
    assert [line["event"] for line in found] == ["request", "between"] * 300
    assert [line.get("request_id", str(line.get("n"))) for line in found] == [str(n) for n in range(300) for _ in "ab"]


@pytest.mark.parametrize("access", [True, False])
def test_the_access_log_can_be_off(printing: Callable[..., Printed], *, access: bool) -> None:
    assert printing(access=access).log.access.enabled == access


def test_warnings_and_the_standard_library_s_logging_come_along(printing: Callable[..., Printed]) -> None:
    printed = printing(level="debug")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("careful", stacklevel=1)
        logging.captureWarnings(False)
    logging.getLogger("asyncio").warning("took %s ms\nand more", 12)
    logging.getLogger("some.library").info("X-Api-Key: gw_CANARY")
    logging.getLogger("some.library").debug("chatter")
    warned, slow, third = printed.lines()
    assert (warned["logger"], warned["level"]) == ("py.warnings", "warning")
    assert warned["event"].endswith("UserWarning: careful")
    assert (slow["event"], slow["logger"], slow["level"]) == ("took 12 ms", "asyncio", "warning")
    assert CANARY not in third["event"]


def test_an_exception_brings_its_traceback(printing: Callable[..., Printed]) -> None:
    printed = printing()
    try:
        raise ValueError("no GET /?X-Api-Key=gw_CANARY")
    except ValueError as error:
        printed.out.exception("failed once")
        printed.out.error("failed again", exc_info=error)
        printed.out.error("failed thrice", exc_info=True)
    printed.out.error("nothing raised", exc_info=True)
    *failed, calm = printed.lines()
    assert [line["level"] for line in failed] == ["error"] * 3
    for line in failed:
        assert line["exception"].startswith("Traceback (most recent call last)")
        assert "ValueError: no GET /?X-Api-Key=[redacted]" in line["exception"]
    assert "exception" not in calm


def test_what_aiohttp_quotes_of_a_request_stays_out(printing: Callable[..., Printed]) -> None:
    """Its parse errors and its logger show the malformed request, key included."""
    printed = printing()
    quoted = "".join(("gw_", "CANARY"))  # not to be seen in the traceback's source lines
    library = logging.getLogger("aiohttp.server")
    try:
        raise BadStatusLine(quoted)
    except BadStatusLine:
        library.exception("Error handling request from %s", quoted)
        printed.out.exception("plain")
    try:
        raise RuntimeError("wrapped " + quoted) from BadStatusLine(quoted)
    except RuntimeError:
        printed.out.exception("wrapped")
    try:
        try:
            raise BadStatusLine(quoted)
        finally:
            raise RuntimeError("during " + quoted)
    except RuntimeError:
        printed.out.exception("during")
    assert CANARY not in printed.text()
    found = printed.lines()
    assert [line["event"] for line in found] == ["Error handling request from", "plain", "wrapped", "during"]
    assert "aiohttp.http_exceptions.BadStatusLine" in found[0]["exception"]
    assert all(f'File "{__file__}"' in line["exception"] for line in found)


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_hidden(printing: Callable[..., Printed], form: str) -> None:
    printed = printing(format=form)
    printed.out.info(
        "url http://h/?X-Api-Key=gw_CANARY", api_key=CANARY, headers={"X-Api-Key": CANARY}, raw=b"X-Api-Key: gw_CANARY"
    )
    assert CANARY not in printed.text()
    assert printed.text().count("[redacted]") == 4


def test_text_that_is_no_unicode_and_values_of_any_kind(printing: Callable[..., Printed]) -> None:
    printed = printing()
    printed.out.info("odd", path="/\udcff", number=3, before={"plan": ["\udcff", None]})
    printed.out.warn("kind", kind=asyncio.Queue, raw=b"\xff")
    odd, kind = printed.lines()
    assert (odd["path"], odd["number"], odd["before"]) == ("/\\udcff", 3, {"plan": ["\\udcff", None]})
    assert kind["kind"] == "<class 'asyncio.queues.Queue'>"
    assert kind["level"] == "warning"


def test_the_form_for_people_has_no_colours_in_a_file(printing: Callable[..., Printed]) -> None:
    printed = printing(format="console")
    printed.out.info("hello", routes=3, text="a\nb")
    printed.log.access.write(AccessRecord(request_id="r1", method="GET", status=200, route="orders"), NOON_S)
    printed.out.error("failed", exc_info=ValueError("why\x1b[2J"))
    assert printed.text().splitlines() == [
        "12:00:00.250 info    hello routes=3 text=a\\nb",
        "12:00:00.250 200 GET orders id=r1",
        "12:00:00.250 error   failed",
        "    ValueError: why\\x1b[2J",
    ]


@pytest.mark.parametrize(("options", "coloured"), [({}, True), ({"colour": False}, False), ({"format": "json"}, False)])
def test_a_terminal_gets_the_form_for_people(process: None, options: dict[str, Any], *, coloured: bool) -> None:
    ours, theirs = pty.openpty()
    try:
        log = Log(lambda: 0.0, fd=theirs, **options)
        log.install()
        structlog.get_logger().info("hello")
        assert log.close(10)
        text = os.read(ours, 4096).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert ("\x1b[32minfo" in text) == coloured
    assert text.startswith("{" if options.get("format") else "00:00:00.000 ")


def test_a_reader_that_leaves_does_not_end_the_process() -> None:
    program = """
import sys, structlog
from gateway.observe.log import Log
log = Log(lambda: 0.0)
log.install()
log.start()
for n in range(1000):
    structlog.get_logger().info("x" * 1000)
assert log.close(10)
assert log.writer.dropped > 0
sys.stderr.write("alive")
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b"alive"
    assert running.returncode == 0


def test_the_log_of_a_process_without_a_thread_is_as_configured(process: None, tmp_path: Path) -> None:
    path = tmp_path / "log"
    written = "observability: {log: {format: json, level: warning}}\nauth: {key: {header: X-Token-Of-Mine}}\n"
    with path.open("wb") as file:
        log = installed_log(parse(LEAST + written), lambda: NOON_S, Writer(file.fileno()))
        structlog.get_logger().info("left out")
        structlog.get_logger().warning("audit", header=f"X-Token-Of-Mine: {CANARY}")
        log.start()
        assert log.close(10)
    (line,) = map(json.loads, path.read_text().splitlines())
    assert (line["timestamp"], line["header"]) == ("2026-06-01T12:00:00.250Z", "X-Token-Of-Mine: [redacted]")
