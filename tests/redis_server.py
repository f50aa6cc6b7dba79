"""A real redis-server for tests: its own process on a port of its own, to be hung, killed and started again."""

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
import redis


class RedisProcess:
    """A server that keeps nothing on disk. `options` are lines of redis.conf, `folder` is for its unix socket."""

    ready = b"ready to accept connections"
    """What it says, in lower case, when it has started."""

    def __init__(self, folder: Path, **options: str) -> None:
        self.socket_path = folder / "redis.sock"
        self.options = options
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._client: redis.Redis | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """On the port it had before, or on a free one. Returns when it accepts connections."""
        for _ in range(5):
            self.port = self.port or free_port()
            self._process = subprocess.Popen(self._command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if self._accepts():
                return
            self.port = 0  # somebody else took it in between
        raise RuntimeError("redis-server does not start")

    def hang(self) -> None:
        """It keeps its connections and takes new ones, and answers nobody."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Gone at once, with all that it knew."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def ask(self, *command: str | bytes | int) -> Any:
        """The reply to a command, by redis-py. Raises what redis-py raises."""
        if self._client is None:
            self._client = redis.Redis(
                port=self.port, username="default", password=self.options.get("requirepass"), protocol=2
            )
        return self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    def _command(self) -> list[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket_path),
            "dir": str(self.socket_path.parent),
            "save": "",
            "appendonly": "no",
            **self.options,
        }
        return ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", value))]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if self.ready in line.lower():
                return True
        self.kill()  # it has ended by itself: its port was taken
        return False


class Servers(Protocol):
    """One or several, started and killed together."""

    def start(self) -> None: ...
    def kill(self) -> None: ...


Started = TypeVar("Started", bound=Servers)


@contextmanager
def started(servers: Started) -> Iterator[Started]:
    """Running until the end of the block."""
    try:
        servers.start()
        yield servers
    finally:
        servers.kill()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisProcess]:
    """A running server, empty."""
    server = RedisProcess(tmp_path)
    server.start()
    yield server
    server.go_on()
    server.kill()


@pytest.fixture(scope="module")
def module_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A running server for all tests of a module: those that need it empty empty it."""
    with started(RedisProcess(tmp_path_factory.mktemp("redis"))) as server:
        yield server


def wait_until(reached: Callable[[], bool], within_s: float = 20.0) -> None:
    """For servers that agree on something among themselves: asks them until it is so. Raises TimeoutError."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError("the servers do not agree")
        pause.wait(0.02)


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many that differ, as each is held until all are known."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
