"""A whole gateway in a process of its own: started from YAML, asked over real sockets, ended by its id.

    with running(configuration(backend.port), tmp_path) as gateway:
        client = await RawClient.connect(gateway.port)
        ...
        record = await gateway.record("gateway.reason", "key_unknown")

What it prints is read by a thread of its own, so that a gateway which outlives an event loop (a fixture of a module)
never blocks on a full pipe.
"""

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STARTS_WITHIN_S = 20.0
STOPS_WITHIN_S = 20.0
PRINTS_WITHIN_S = 5.0
_PROGRAM = """
import runpy
from gateway.edge.plain_request import PlainRequestReader
from gateway.edge.reply_writer import ReplyWriter
from gateway.net.coroutine_driver import CoroutineDriver
from gateway.upstream.http1 import connection
CoroutineDriver.always_in_task = True
PlainRequestReader.read = lambda self, data: None
ReplyWriter._send = ReplyWriter.send_in_time
connection.known_head = lambda data, likely_bytes: None
runpy.run_module("gateway", run_name="__main__", alter_sys=True)
"""
IN_TASKS = ("-c", _PROGRAM)
"""Runs `gateway` as `launcher` does, but what is unusual happens to every exchange: it has a task, the parser reads its
request and its reply, and the reply is written as large ones are."""
launcher: tuple[str, ...] = ("-m", "gateway")
"""What Python is told to run; `pytest --in-tasks` changes it."""

KEY = "gw_test_0123456789abcdefghijklmnop"
"""Of the caller `tester`, who may do everything and has no limit."""


def digest(secret: str) -> str:
    """A key as the configuration has it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def configuration(backend_port: int, **sections: str) -> str:
    """YAML of a gateway on free ports, with one route `/v1/…` to `backend_port` for KEY.

    Each of `sections` takes the place of a section, or is added: `configuration(port, redis='{url: "redis://…"}')`.
    """
    whole = {
        "version": "1",
        "server": '{workers: 1, drain_delay: 0s, drain_timeout: 5s, listeners: [{id: public, address: "127.0.0.1:0"}]}',
        "admin": '{address: "127.0.0.1:0"}',
        "organizations": "[{id: acme}]",
        "plans": "[{id: unlimited, limits: []}]",
        "keys": f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}]",
        "upstreams": f'[{{id: backend, targets: [{{url: "http://127.0.0.1:{backend_port}"}}]}}]',
        "routes": "[{id: all, match: {prefix: /v1}, upstream: backend}]",
        "observability": "{log: {format: json}}",
    } | sections
    return "".join([f"{name}: {text}\n" for name, text in whole.items()])


class GatewayProcess:
    """One that serves. `lines` is what it has printed so far, the first one included."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid
        self.lines: list[str] = []
        self._printed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        first = self._wait_for(lambda line: '"started"' in line, STARTS_WITHIN_S)
        self.started: dict[str, Any] = json.loads(first)
        self.port = _port(self.started["listeners"][0])
        """Of the first listener; 0 for a unix socket."""
        self.admin_port = _port(self.started["admin"])

    @property
    def records(self) -> list[dict[str, Any]]:
        """The access lines so far, in the order in which the requests ended."""
        with self._printed:
            found = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in found if line["event"] == "request"]

    async def line(self, matches: Callable[[str], bool], within_s: float = PRINTS_WITHIN_S) -> str:
        """The first line that matches: one already printed, or one to come. Raises AssertionError without one."""
        return await asyncio.to_thread(self._wait_for, matches, within_s)

    async def record(self, name: str, value: object) -> dict[str, Any]:
        """The first access line whose field `name` is `value`, printed already or to come. Raises AssertionError."""

        def matches(line: str) -> bool:
            fields = json.loads(line) if line.startswith("{") else {}
            return fields.get("event") == "request" and fields.get(name) == value

        return dict(json.loads(await self.line(matches)))

    def admin(self, path: str, method: str = "GET", fields: dict[str, str] | None = None) -> tuple[int, str]:
        """Return status and text of `/metrics`, `/readyz` and other pages."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            connection.request(method, path, headers=fields or {})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def maps(self, name: str) -> bool:
        """Whether each of its processes has loaded a library whose path contains `name`."""
        return all(name in (folder / "maps").read_text() for folder in self._folders())

    def rss_bytes(self) -> int:
        """Memory that its processes hold, what they share counted for each."""
        return sum(int((folder / "statm").read_text().split()[1]) * 4096 for folder in self._folders())

    def title(self) -> bytes:
        """What everybody on the machine can see of its processes: command lines and names."""
        return b"".join([(folder / name).read_bytes() for folder in self._folders() for name in ("cmdline", "comm")])

    def _folders(self) -> list[Path]:
        """In /proc, of the supervisor and of its workers."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [Path("/proc") / pid for pid in (str(self.pid), *workers)]

    def terminate(self) -> int:
        """Send SIGTERM, let it drain, print the rest, return the exit code. Blocks; see `asyncio.to_thread`."""
        self._process.terminate()
        return self._end()

    def kill(self) -> int:
        """SIGKILL."""
        self._process.kill()
        return self._end()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float = STOPS_WITHIN_S) -> int:
        """The exit code, once it has ended by itself. Raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout_s)

    def join(self) -> None:
        """Returns when nobody is left who could print anything."""
        self._reader.join(PRINTS_WITHIN_S)

    def _end(self) -> int:
        try:
            code = self._process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._reader.join(PRINTS_WITHIN_S)
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._printed:
                self.lines.append(line.decode().rstrip("\n"))
                self._printed.notify_all()
        with self._printed:
            self._ended = True
            self._printed.notify_all()

    def _wait_for(self, matches: Callable[[str], bool], within_s: float) -> str:
        seen = 0

        def found() -> bool:
            nonlocal seen
            while seen < len(self.lines) and not matches(self.lines[seen]):
                seen += 1
            return seen < len(self.lines) or self._ended

        with self._printed:
            self._printed.wait_for(found, within_s)
            assert seen < len(self.lines), "it never printed that:\n" + "\n".join(self.lines[-20:])
            return self.lines[seen]


@contextmanager
def running(
    yaml: str,
    folder: Path,
    *arguments: str,
    at: Path = Path("gateway.yaml"),
    program: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[GatewayProcess]:
    """`gateway run -c` a file with `yaml` in `folder`, from when it serves until the end of the block.

    `at` is where the file is in there. `program` is a text that runs instead, and is given the file alone. `environ` is
    what is different in its environment.
    What it prints on stderr is among its lines. At the end it is killed, unless the block has ended it.
    """
    file = folder / at
    file.write_text(yaml)
    command = [sys.executable, *launcher, "run", "-c", str(file), *arguments]
    if program is not None:
        command = [sys.executable, "-c", program, str(file)]
    gateway = None
    # A session of its own: at the end its workers are ended with it.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, **(environ or {})},
    ) as process:
        try:
            gateway = GatewayProcess(process)
            yield gateway
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if gateway is not None:
                gateway.join()


def _port(address: str) -> int:
    return 0 if address.startswith("unix:") else int(address.rpartition(":")[2])
