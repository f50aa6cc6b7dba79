"""A Redis Cluster of three primaries and a replica of the first, of Debian's redis-server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisProcess, free_port, free_ports, started, wait_until

SLOTS = 16384
NODES = 4


class ClusterNode(RedisProcess):
    """One of them, alone until it is told of the others."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.options = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": "1000",
            "repl-diskless-sync-delay": "0",
            "cluster-allow-replica-migration": "no",
        }
        self.id = ""

    def start(self) -> None:
        self.port, cluster_port = (self.port, free_port()) if self.port else free_ports(2)
        self.options["cluster-port"] = str(cluster_port)
        super().start()
        self.id = self.ask("CLUSTER", "MYID").decode()

    def known(self) -> int:
        """How many nodes there are, as this one sees it; those that it has met only by name are not counted."""
        return sum(b"handshake" not in line for line in self.ask("CLUSTER", "NODES").splitlines())

    def owners(self) -> set[int]:
        """The ports of those that it believes to have slots."""
        return {primary[1] for _, _, primary, *_ in self.ask("CLUSTER", "SLOTS")}

    def is_well(self) -> bool:
        """As it sees the cluster."""
        return b"cluster_state:ok" in self.ask("CLUSTER", "INFO")


class RedisCluster:
    """`primaries` are what they were in the beginning; `replica` follows the first."""

    def __init__(self, folder: Path) -> None:
        self.nodes: list[ClusterNode] = []
        for number in range(NODES):
            (folder / str(number)).mkdir()
            self.nodes.append(ClusterNode(folder / str(number)))
        self.primaries, self.replica = self.nodes[:3], self.nodes[3]

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.primaries[0].port},127.0.0.1:{self.primaries[1].port}"

    def start(self) -> None:
        """Returns when all nodes say that the cluster is well, and the replica follows."""
        for number, node in enumerate(self.nodes):
            node.start()
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number, node in enumerate(self.primaries):
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].options["cluster-port"])
        wait_until(lambda: all(node.known() == NODES for node in self.nodes))
        self.replica.ask("CLUSTER", "REPLICATE", self.primaries[0].id)
        wait_until(lambda: all(node.is_well() for node in self.nodes))
        wait_until(lambda: self.replica.ask("ROLE")[3] == b"connected")

    def is_promoted(self) -> bool:
        """Whether the replica is a primary now."""
        return bool(self.replica.ask("ROLE")[0] == b"master")

    def owner(self, slot: int) -> ClusterNode:
        """Now, as the first primary sees it."""
        ranges = self.primaries[0].ask("CLUSTER", "SLOTS")
        port = next(primary[1] for first, last, primary, *_ in ranges if first <= slot <= last)
        return next(node for node in self.nodes if node.port == port)

    def kill(self) -> None:
        """All of them."""
        for node in self.nodes:
            node.go_on()
            node.kill()


@pytest.fixture
def redis_cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    """Running, empty."""
    with started(RedisCluster(tmp_path)) as servers:
        yield servers


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """For tests that leave every node where it is."""
    with started(RedisCluster(tmp_path_factory.mktemp("cluster"))) as servers:
        yield servers


@pytest.fixture
def calm_cluster(running_cluster: RedisCluster) -> RedisCluster:
    """Running, empty."""
    for node in running_cluster.primaries:
        node.ask("FLUSHALL")
    return running_cluster
