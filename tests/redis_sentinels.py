"""A primary, its replica and three Sentinels, all of Debian's redis-server, to be killed in parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisProcess, started, wait_until

SERVICE = "main"
HASTE = {"info-period": 200, "ask-period": 200, "publish-period": 200, "election-timeout": 1000}
"""In milliseconds: Sentinels take their time otherwise, and find one another after seconds."""
FAILOVER_TIMEOUT_MS = 4000
"""A failover that takes longer on a busy machine is given up, and the new primary made a replica again."""
INFO_PERIOD_MS = 1000
"""When a Sentinel takes a server for down. A replica not heard of for three such periods is not promoted."""


class Sentinel(RedisProcess):
    """One of them. It rewrites its configuration file itself, as Sentinels do."""

    ready = b"+monitor"

    def __init__(self, folder: Path, primary_port: int, down_after_ms: int = 500) -> None:
        super().__init__(folder)
        self._down_after_ms = down_after_ms
        self._folder = folder
        self._primary_port = primary_port

    def primary_port(self) -> int:
        """Who it says is the primary now."""
        return int(self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def knows_all(self) -> bool:
        """Replica and other Sentinels."""
        fields = self.ask("SENTINEL", "MASTER", SERVICE)
        state = dict(zip(fields[::2], fields[1::2], strict=True))
        return (state[b"num-slaves"], state[b"num-other-sentinels"]) == (b"1", b"2")

    def _command(self) -> list[str]:
        file = self._folder / "sentinel.conf"
        file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self._primary_port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {self._down_after_ms}\n"
            f"sentinel failover-timeout {SERVICE} {FAILOVER_TIMEOUT_MS}\n"
        )
        return ["redis-server", str(file), "--sentinel"]


class RedisSentinels:
    """`primary` and `replica` are what they were in the beginning."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.primary = RedisProcess(self._made("primary"), **{"repl-diskless-sync-delay": "0"})
        self.replica = RedisProcess(self._made("replica"))
        self.sentinels: list[Sentinel] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/0"

    def start(self) -> None:
        """Returns when the replica follows, and the Sentinels know it and one another."""
        self.primary.start()
        self.replica.options["replicaof"] = f"127.0.0.1 {self.primary.port}"
        self.replica.start()
        for number in range(3):
            # Not all at once, or each votes for itself and nobody is elected
            sentinel = Sentinel(self._made(f"sentinel{number}"), self.primary.port, 500 + 300 * number)
            sentinel.start()
            self.sentinels.append(sentinel)
            for name, milliseconds in HASTE.items():
                sentinel.ask("SENTINEL", "DEBUG", name, milliseconds)
        wait_until(lambda: self.replica.ask("ROLE")[3] == b"connected")
        wait_until(lambda: all(sentinel.knows_all() for sentinel in self.sentinels))
        for sentinel in self.sentinels:
            sentinel.ask("SENTINEL", "DEBUG", "info-period", INFO_PERIOD_MS)

    def is_promoted(self) -> bool:
        """Whether the replica is the primary now."""
        return bool(self.replica.ask("ROLE")[0] == b"master")

    def kill(self) -> None:
        """All of them."""
        for server in (*self.sentinels, self.primary, self.replica):
            server.go_on()
            server.kill()

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder


@pytest.fixture
def redis_sentinels(tmp_path: Path) -> Iterator[RedisSentinels]:
    """Running, empty."""
    with started(RedisSentinels(tmp_path)) as servers:
        yield servers


@pytest.fixture(scope="session")
def running_sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSentinels]:
    """For tests that leave every server where it is."""
    with started(RedisSentinels(tmp_path_factory.mktemp("sentinels"))) as servers:
        yield servers


@pytest.fixture
def calm_sentinels(running_sentinels: RedisSentinels) -> RedisSentinels:
    """Running, empty."""
    running_sentinels.primary.ask("FLUSHALL")
    return running_sentinels
