"""A Redis Cluster: a RedisServer for each primary, and which of them has which slot.

A node that does not have a key replies which node has: the call goes there within its budget, and the slot map is read
again, outside of any request. It is also read again while a primary is away, so that the node that takes its slots over
is found. Callers whose slots no node serves fail; the others do not notice.
"""

import asyncio
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import TypeAlias, cast

from gateway.net.redis_url import RedisUrl, server_url
from gateway.redis_client.address import RedisAddress, RedisConnectionError
from gateway.redis_client.availability import Availability
from gateway.redis_client.connection import (
    LOST,
    TIMEOUT,
    PendingReply,
    RedisConnection,
    RedisReply,
    SentCommand,
    answered,
    pack,
)
from gateway.redis_client.server import AWAY, CANCEL_AGAIN_S, ELSEWHERE, SETUP_TIMEOUT_S, RedisServer
from gateway.redis_client.status import RedisServerStatus, StateListener

SLOTS = 16384
MOST_REDIRECTIONS = 5
PROBE_TAGS = 4096
"""Tags that are tried for one in a slot of the node to be probed: enough for any node that has a hundredth of the
slots.
"""
TRY_AGAIN_S = 0.005
"""Time between two tries of a call whose keys are being moved."""
CLUSTER_SLOTS = pack(b"CLUSTER", b"SLOTS")
UNSERVED = RedisConnectionError("CLUSTERDOWN: nobody serves some of the slots")

UNNAMED = ("", "?")
"""Hosts in replies that mean the node that was asked."""

NodeAddress: TypeAlias = tuple[str, int]
"""Host and port of a node."""


def slot_of(tag: str) -> int:
    """Return the slot of all keys with this hash tag."""
    return crc_hqx(tag.encode(), 0) % SLOTS


class RedisCluster:
    """A RedisStore. Its parameters are those of RedisServer; `probe_of` makes a probe of a hash tag.

    It is up while all nodes that have slots are up, and all slots are served; `on_state` names the node that is not.
    """

    def __init__(
        self,
        url: RedisUrl,
        timeout_s: float,
        scripts: tuple[bytes, ...],
        probe_of: Callable[[str], bytes],
        on_state: StateListener,
    ) -> None:
        self.address = f"cluster of {url.hosts[0][0]}:{url.hosts[0][1]}"
        self._url = url
        self._addresses = {
            address: self._redis_address(address) for address in url.hosts
        }  # raises at once for a URL that is wrong
        self._timeout_s = timeout_s
        self._scripts = scripts
        self._probe_of = probe_of
        self._on_state = on_state
        self._reported: bool | None = None
        self._nodes: dict[NodeAddress, RedisServer] = {}
        self._owners: list[NodeAddress | None] = [None] * SLOTS
        self._used: set[NodeAddress] = set()
        self._wanted = asyncio.Event()
        self._first_report = asyncio.Event()
        self._map_task: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._redirected: set[asyncio.Task[None]] = set()
        self._closed = True

    def __repr__(self) -> str:
        nodes = self._nodes.values()
        return (
            f"{self.address} {sum(node.up is True for node in nodes)}/{len(nodes)} up, "
            f"{sum(node.in_flight for node in nodes)} in flight"
        )

    def servers(self) -> list[RedisServerStatus]:
        """See `RedisStore.servers`."""
        return [server for node in self._nodes.values() for server in node.servers()]

    async def start(self) -> None:
        """Connect. Returns when every node was reached, or one was found away: after a few seconds at most."""
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._wanted.set()
        self._map_task = self._loop.create_task(self._maintain_map(), name=f"map of the {self.address}")
        await self._first_report.wait()

    async def close(self) -> None:
        """Cut all connections. Calls in flight and later ones fail."""
        self._closed = True
        while self._map_task is not None and not self._map_task.done():
            self._map_task.cancel()
            await asyncio.wait([self._map_task], timeout=CANCEL_AGAIN_S)
        nodes = list(self._nodes.values())
        self._nodes.clear()
        await asyncio.gather(*(node.close() for node in nodes), *self._retiring)

    async def call(self, command: bytes, tag: str) -> RedisReply:
        """See `RedisStore.call`."""
        return await self.send(command, tag)

    def send(self, command: bytes, tag: str, waiter: PendingReply | None = None) -> PendingReply:
        """See `RedisStore.send`."""
        slot = crc_hqx(tag.encode(), 0) % SLOTS
        address = self._owners[slot]
        if address is None or self._closed:
            return answered(AWAY, waiter)
        deadline = self._loop.time() + self._timeout_s
        return self._node(address).send_by(command, deadline, waiter, redirect=partial(self._redirect, slot, address))

    def _redirect(self, slot: int, address: NodeAddress, sent: SentCommand, reply: RedisConnectionError) -> None:
        task = self._loop.create_task(self._follow(slot, address, sent, reply))
        self._redirected.add(task)
        task.add_done_callback(self._redirected.discard)

    async def _follow(self, slot: int, address: NodeAddress, sent: SentCommand, reply: RedisConnectionError) -> None:
        """Complete a command that the node at `address` has redirected, unless its caller gives up."""
        found = await self._ask_others(slot, address, sent, reply)
        if not sent[1].done:
            sent[1].set_result(found)

    async def _ask_others(
        self, slot: int, address: NodeAddress, sent: SentCommand, reply: RedisConnectionError
    ) -> RedisReply:
        """Send the call where the node at `address` redirects it: for good (MOVED), once (ASK) or later (TRYAGAIN)."""
        deadline, waiter, command, _ = sent
        for _ in range(MOST_REDIRECTIONS):
            after_ask = reply.reason == "ASK"
            if reply.reason == "TRYAGAIN":
                await asyncio.sleep(TRY_AGAIN_S)
                address = self._owners[slot] or address
            else:
                address = named(str(reply), address)
            if reply.reason == "MOVED":
                self._owners[slot] = address
                self._used.add(address)
                self._wanted.set()
            if self._closed or waiter.done or self._loop.time() >= deadline:
                return TIMEOUT
            answer = await self._node(address).send_by(command, deadline, after_ask=after_ask)
            if not isinstance(answer, RedisConnectionError) or answer.reason not in ELSEWHERE:
                return answer
            reply = answer
        return reply

    def _node(self, address: NodeAddress) -> RedisServer:
        """Return the node of an address; connect to it when it is new."""
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = RedisServer(
                self._redis_address(address),
                self._timeout_s,
                self._scripts,
                lambda: self._probe_of(self._tag_at(address)),
                lambda *, up, reason: self._node_changed(address, reason),  # noqa: ARG005 - a cluster is up as a whole
                in_cluster=True,
            )
            node.begin()
        return node

    def _redis_address(self, address: NodeAddress) -> RedisAddress:
        return RedisAddress(server_url(self._url, *address))

    def _tag_at(self, address: NodeAddress) -> str:
        """Return a hash tag in a slot of that node; any tag when it has few: the node replies MOVED then."""
        tags = (f"probe{number}" for number in count())
        return next(
            (tag for tag, _ in zip(tags, range(PROBE_TAGS), strict=False) if self._owners[slot_of(tag)] == address),
            "probe",
        )

    def _node_changed(self, address: NodeAddress | None, reason: str) -> None:
        """Report whether the cluster is up, after a change at `address`, or (None) in the slot map."""
        states = [self._nodes[used].up for used in self._used if used in self._nodes]
        if reason and (address is None or address in self._used):
            self._wanted.set()
            self._report(reason if address is None else f"{reason} ({self._nodes[address].address})", up=False)
        elif states and all(states) and None not in self._owners:
            self._report(up=True)

    def _report(self, reason: str = "", *, up: bool) -> None:
        self._first_report.set()
        if self._reported is not up and not self._closed:
            self._reported = up
            self._on_state(up=up, reason=reason)

    async def _maintain_map(self) -> None:
        """Read the slot map, at first and whenever it is wanted; again and again while the cluster is not whole."""
        pace = Availability()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                self._adopt(await self._ask_for_map())
            except RedisConnectionError as failure:
                self._node_changed(None, str(failure))
            except Exception as bug:  # nothing else would read the map again
                self._node_changed(None, f"bug: {type(bug).__name__}: {bug}")
            if self._reported:
                pace.reached()
            await asyncio.sleep(pace.delay_s())
            if not self._reported:
                self._wanted.set()

    async def _ask_for_map(self) -> list[tuple[int, int, NodeAddress]]:
        """Ask the nodes one after another, those first that are up. Raises RedisConnectionError when none answers."""
        addresses = sorted(
            {*self._nodes, *self._url.hosts},
            key=lambda address: address not in self._nodes or not self._nodes[address].up,
        )
        failure = AWAY
        for address in addresses:
            try:
                return await self._ask_one(address)
            except RedisConnectionError as error:
                failure = error
        raise RedisConnectionError(str(failure))

    async def _ask_one(self, address: NodeAddress) -> list[tuple[int, int, NodeAddress]]:
        """Ask on a connection of its own: a node that counts as away may know which one replaced it."""
        writer = await self._redis_address(address).open(SETUP_TIMEOUT_S)
        connection = RedisConnection(self._loop, SETUP_TIMEOUT_S, _ignore_end)
        connection.take_over(writer)
        try:
            reply = await connection.send(CLUSTER_SLOTS, self._loop.time() + SETUP_TIMEOUT_S)
        finally:
            connection.close()
        if isinstance(reply, RedisConnectionError):
            raise RedisConnectionError(str(reply))
        if not isinstance(reply, list):
            raise RedisConnectionError(str(LOST))
        ranges = cast("list[tuple[int, int, list[bytes | int]]]", reply)
        return [(first, last, _address_in(primary, address)) for first, last, primary, *_ in ranges]

    def _adopt(self, ranges: Sequence[tuple[int, int, NodeAddress]]) -> None:
        owners: list[NodeAddress | None] = [None] * SLOTS
        for first, last, address in ranges:
            owners[first : last + 1] = [address] * (last + 1 - first)
        self._owners = owners
        self._used = {address for _, _, address in ranges}
        for address in self._used:
            self._node(address)
        for address in self._nodes.keys() - self._used:
            if self._nodes[address].in_flight:
                self._wanted.set()  # its last replies are still to come: next time
            else:
                self._retire(address)
        self._node_changed(None, str(UNSERVED) if None in owners else "")

    def _retire(self, address: NodeAddress) -> None:
        """Disconnect from a node that has no slots any more."""
        closing = self._loop.create_task(self._nodes.pop(address).close())
        self._retiring.add(closing)
        closing.add_done_callback(self._retiring.discard)


def _ignore_end(connection: RedisConnection, failure: RedisConnectionError) -> None:
    """Ignore the end of a connection: the caller that waits for the reply gets the failure."""


def named(redirection: str, by: NodeAddress) -> NodeAddress:
    """Return where `MOVED slot host:port` or `ASK slot host:port` sends a call; without a host it is the node `by`."""
    host, _, port = redirection.split()[2].rpartition(":")
    return (host if host not in UNNAMED else by[0], int(port))


def _address_in(entry: Sequence[bytes | int | None], by: NodeAddress) -> NodeAddress:
    host, port = entry[0], entry[1]
    name = host.decode() if isinstance(host, bytes) else ""
    return (name if name not in UNNAMED else by[0], int(port or 0))
