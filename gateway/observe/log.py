"""Prints operational lines, by structlog, and access lines, both through one writer."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Literal, TypeAlias

import msgspec
import structlog

from gateway.kernel.timestamp import Timestamp
from gateway.observe.access_log import AccessLog, printable
from gateway.observe.redact import redactor
from gateway.observe.writer import Output, Writer
from gateway.settings import Config
from gateway.system.compiled import in_use

Format: TypeAlias = Literal["auto", "json", "console"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]

_STDOUT = 1
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_COLOURS = {"debug": 90, "info": 32, "warning": 33, "error": 31, "critical": 31}

_QUOTES_REQUESTS = "aiohttp"
"""The library whose exceptions and messages quote what a client sent, key included (aiohttp/http_exceptions.py)."""

_json = msgspec.json.Encoder(enc_hook=str).encode

_Event: TypeAlias = MutableMapping[str, Any]


class Log:
    """The process's log on the file descriptor `fd`.

    `wall` reads Unix time. `auto` is `console` on a terminal, else `json`. `access` switches the access lines,
    `colour` the colours, which only a terminal gets anyway.
    `secret_names` are the header and query names that carry keys. `install` sets up structlog, logging and warnings
    of the whole process; `start` begins to write, from a thread or by `writer`.
    """

    def __init__(
        self,
        wall: Callable[[], float],
        *,
        format: Format = "auto",  # noqa: A002  the name in the configuration
        level: Level = "info",
        access: bool = True,
        secret_names: Iterable[str] = (),
        colour: bool = True,
        fd: int = _STDOUT,
        writer: Output | None = None,
    ) -> None:
        terminal = os.isatty(fd)
        self.console = format == "console" or (format == "auto" and terminal)
        self._colour = colour and self.console and terminal
        self._level = _LEVELS[level]
        self._secret_names = tuple(secret_names)
        self._wall = wall
        self.writer: Output = Writer(fd) if writer is None else writer
        self.access = AccessLog(self.writer, wall, enabled=access, console=self.console, colour=self._colour)

    def install(self) -> None:
        render = _Console(colour=self._colour) if self.console else _to_json
        timestamp = Timestamp()

        def arrange(_logger: object, method: str, event: _Event) -> _Event:
            """Put the common fields of every line first, in one order."""
            name = event.pop("event", "")
            return {"timestamp": timestamp(self._wall()), "level": _level_name(method), "event": name, **event}

        structlog.configure(
            processors=[_explain, arrange, redactor(self._secret_names), render],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            logger_factory=lambda *_: _Lines(self.writer),
            cache_logger_on_first_use=False,
        )
        root = logging.getLogger()
        root.handlers[:] = [_Bridge()]
        root.setLevel(max(self._level, logging.INFO))
        logging.captureWarnings(True)

    def start(self) -> None:
        self.writer.start()

    def close(self, timeout_s: float = 1.0) -> bool:
        """Write what is left for at most `timeout_s`. False if something was not written."""
        return self.writer.close(timeout_s)


class _Lines:
    """The logger that structlog calls with a rendered line."""

    def __init__(self, writer: Output) -> None:
        self._put = writer.put_from_anywhere

    def msg(self, line: bytes) -> None:
        self._put(line)

    debug = info = warning = error = critical = exception = msg


class _Bridge(logging.Handler):
    """Lines of the standard library's logging, and warnings, made structlog's."""

    def emit(self, record: logging.LogRecord) -> None:
        quotes = record.name.startswith(_QUOTES_REQUESTS)
        message = str(record.msg).partition("%")[0].rstrip() if quotes else record.getMessage()
        event = message.strip().partition("\n")[0]
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        structlog.get_logger().log(record.levelno, event, **fields)


def _explain(_logger: object, _method: str, event: _Event) -> _Event:
    """`exc_info` as text. What a library's exception quotes of a request stays out."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    elif isinstance(found, BaseException):
        found = (type(found), found, found.__traceback__)
    if not isinstance(found, tuple) or found[1] is None:
        return event
    event["exception"] = "".join(_traceback(*found)).rstrip()
    return event


def _traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> list[str]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    if any(type(each).__module__.startswith(_QUOTES_REQUESTS) for each in links):
        return [*traceback.format_tb(where), f"{kind.__module__}.{kind.__qualname__}"]
    return traceback.format_exception(kind, error, where)


def _level_name(method: str) -> str:
    return "error" if method == "exception" else "warning" if method == "warn" else method


def _to_json(_logger: object, _method: str, event: _Event) -> bytes:
    try:
        return _json(event) + b"\n"
    except UnicodeEncodeError:
        return _json(_spelled_out(event)) + b"\n"


def _spelled_out(value: Any) -> Any:
    """Return `value` with what is no Unicode spelled out in its texts. Numbers and objects stay what they are."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_spelled_out(name): _spelled_out(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled_out(each) for each in value]
    return value


class _Console:
    """`12:00:00.123 info  started routes=3`, and a traceback below it."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, _logger: object, _method: str, event: _Event) -> bytes:
        exception = event.pop("exception", None)
        level = event.pop("level")
        mark = f"\x1b[{_COLOURS.get(level, 0)}m{level:<7}\x1b[0m" if self._colour else f"{level:<7}"
        timestamp, text = event.pop("timestamp"), event.pop("event")
        fields = "".join([f" {name}={value}" for name, value in event.items()])
        lines = [f"{timestamp[11:-1]} {mark} {printable(f'{text}{fields}')}"]
        if exception:
            lines += [f"    {printable(line)}" for line in str(exception).splitlines()]
        return ("\n".join(lines) + "\n").encode(errors="backslashreplace")


def installed_log(config: Config, wall: Callable[[], float], writer: Output) -> Log:
    """Return the log of a process that has no thread for it, which structlog writes to from now on."""
    settings, key = config.observability.log, config.auth.key
    log = Log(wall, format=settings.format, level=settings.level, secret_names=(key.header, key.query), writer=writer)
    log.install()
    return log


def announce(
    *,
    config: str,
    listeners: Iterable[str],
    admin: str | None,
    limiter: str,
    routes: int,
    keys: int | None,
    workers: int,
    version: str,
) -> None:
    """Log the first line, which describes the gateway. `keys` is None when they are in Redis."""
    structlog.get_logger().info(
        "started",
        version=version,
        config=config,
        listeners=list(listeners),
        admin=admin,
        limiter=limiter,
        routes=routes,
        keys=keys,
        workers=workers,
        pid=os.getpid(),
        compiled=in_use(),
    )
