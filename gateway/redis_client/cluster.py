"""A Redis Cluster: a RedisServer for each primary, and which of them has which slot.

A node that does not have a key says who has: the call goes there within its budget, and the map is read again, outside of
any request. It is also read again while a primary is away, so that whoever takes its slots over is found. Callers whose
slots nobody serves meet the ladder; the others do not notice.
"""

import asyncio
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeAlias, cast

from gateway.net.redis_url import RedisUrl, server_url
from gateway.redis_client.address import RedisAddress, RedisConnectionError
from gateway.redis_client.availability import Availability
from gateway.redis_client.connection import LOST, TIMEOUT, RedisConnection, Reply, pack
from gateway.redis_client.server import AWAY, CANCEL_AGAIN_S, ELSEWHERE, SETUP_TIMEOUT_S, RedisServer
from gateway.redis_client.status import Server

SLOTS = 16384
MOST_REDIRECTIONS = 5
PROBE_TAGS = 4096
"""Looked through for one in a slot of the node that is to be probed: enough for any that has a hundredth of them."""
TRY_AGAIN_S = 0.005
"""Between two tries of a call whose keys are being moved."""
CLUSTER_SLOTS = pack(b"CLUSTER", b"SLOTS")
UNSERVED = RedisConnectionError("CLUSTERDOWN: nobody serves some of the slots")

UNNAMED = ("", "?")
"""Hosts that are not told: the one that was asked is meant."""

Place: TypeAlias = tuple[str, int]
"""Host and port of a node."""


def slot_of(tag: str) -> int:
    """The slot of all keys with this hash tag."""
    return crc_hqx(tag.encode(), 0) % SLOTS


class RedisCluster:
    """A RedisStore. Its parameters are those of RedisServer; `probe_of` makes a probe of a hash tag.

    It is up while all nodes are that have slots, and all slots are served; `on_state` says which node is not.
    """

    def __init__(
        self,
        url: RedisUrl,
        timeout_s: float,
        scripts: tuple[bytes, ...],
        probe_of: Callable[[str], bytes],
        on_state: Callable[[bool, str], None],
    ) -> None:
        self.address = f"cluster of {url.hosts[0][0]}:{url.hosts[0][1]}"
        self._url = url
        self._addresses = {place: self._address(place) for place in url.hosts}  # tells at once when the URL is wrong
        self._timeout_s = timeout_s
        self._scripts = scripts
        self._probe_of = probe_of
        self._on_state = on_state
        self._reported: bool | None = None
        self._nodes: dict[Place, RedisServer] = {}
        self._owners: list[Place | None] = [None] * SLOTS
        self._used: set[Place] = set()
        self._wanted = asyncio.Event()
        self._judged = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._closed = True

    def __repr__(self) -> str:
        nodes = self._nodes.values()
        return f"{self.address} {sum(node.up is True for node in nodes)}/{len(nodes)} up, {sum(node.in_flight for node in nodes)} in flight"

    def servers(self) -> list[Server]:
        """As `RedisStore.servers`."""
        return [server for node in self._nodes.values() for server in node.servers()]

    async def start(self) -> None:
        """Returns when every node was reached, or one was found away: after a few seconds at most."""
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._wanted.set()
        self._reader = self._loop.create_task(self._read(), name=f"map of the {self.address}")
        await self._judged.wait()

    async def close(self) -> None:
        """Cut all connections. Calls in flight and later ones fail."""
        self._closed = True
        while self._reader is not None and not self._reader.done():
            self._reader.cancel()
            await asyncio.wait([self._reader], timeout=CANCEL_AGAIN_S)
        nodes = list(self._nodes.values())
        self._nodes.clear()
        await asyncio.gather(*(node.close() for node in nodes), *self._retiring)

    async def call(self, command: bytes, tag: str) -> Reply:
        """As `RedisStore.call`."""
        slot = crc_hqx(tag.encode(), 0) % SLOTS
        place = self._owners[slot]
        if place is None or self._closed:
            return AWAY
        deadline = self._loop.time() + self._timeout_s
        reply = await self._node(place).call(command, deadline=deadline)
        if isinstance(reply, RedisConnectionError) and reply.reason in ELSEWHERE:
            return await self._follow(reply, command, slot, place, deadline)
        return reply

    async def _follow(self, reply: RedisConnectionError, command: bytes, slot: int, place: Place, deadline: float) -> Reply:
        """To where `place` sends the call: for good (MOVED), this once (ASK), or again a little later (TRYAGAIN)."""
        for _ in range(MOST_REDIRECTIONS):
            asking = reply.reason == "ASK"
            if reply.reason == "TRYAGAIN":
                await asyncio.sleep(TRY_AGAIN_S)
                place = self._owners[slot] or place
            else:
                place = named(str(reply), place)
            if reply.reason == "MOVED":
                self._owners[slot] = place
                self._used.add(place)
                self._wanted.set()
            if self._closed or self._loop.time() >= deadline:
                return TIMEOUT
            answer = await self._node(place).call(command, deadline=deadline, asking=asking)
            if not isinstance(answer, RedisConnectionError) or answer.reason not in ELSEWHERE:
                return answer
            reply = answer
        return reply

    def _node(self, place: Place) -> RedisServer:
        """Known, or begun now."""
        node = self._nodes.get(place)
        if node is None:
            node = self._nodes[place] = RedisServer(
                self._address(place),
                self._timeout_s,
                self._scripts,
                lambda: self._probe_of(self._tag_at(place)),
                lambda _, reason: self._judge(place, reason),
                in_cluster=True,
            )
            node.begin()
        return node

    def _address(self, place: Place) -> RedisAddress:
        return RedisAddress(server_url(self._url, *place))

    def _tag_at(self, place: Place) -> str:
        """A hash tag in a slot of that node; any, when it has next to none: the node's answer is MOVED then."""
        tags = (f"probe{number}" for number in count())
        return next((tag for tag, _ in zip(tags, range(PROBE_TAGS), strict=False) if self._owners[slot_of(tag)] == place), "probe")

    def _judge(self, place: Place | None, reason: str) -> None:
        """Something changed: at `place`, or (None) in the map."""
        states = [self._nodes[used].up for used in self._used if used in self._nodes]
        if reason and (place is None or place in self._used):
            self._wanted.set()
            self._report(False, reason if place is None else f"{reason} ({self._nodes[place].address})")
        elif states and all(states) and None not in self._owners:
            self._report(True, "")

    def _report(self, up: bool, reason: str) -> None:
        self._judged.set()
        if self._reported is not up and not self._closed:
            self._reported = up
            self._on_state(up, reason)

    async def _read(self) -> None:
        """The map, at first and whenever it is wanted; again and again while the cluster is not whole."""
        pace = Availability()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                self._adopt(await self._ask_for_map())
            except RedisConnectionError as failure:
                self._judge(None, str(failure))
            except Exception as bug:  # nobody would read the map again
                self._judge(None, f"bug: {bug!r}")
            if self._reported:
                pace.close()
            await asyncio.sleep(pace.delay_s())
            if not self._reported:
                self._wanted.set()

    async def _ask_for_map(self) -> list[tuple[int, int, Place]]:
        """From whoever answers first, those first that are up. Raises RedisConnectionError."""
        places = sorted({*self._nodes, *self._url.hosts}, key=lambda place: place not in self._nodes or not self._nodes[place].up)
        failure = AWAY
        for place in places:
            try:
                return await self._ask_one(place)
            except RedisConnectionError as error:
                failure = error
        raise RedisConnectionError(str(failure))

    async def _ask_one(self, place: Place) -> list[tuple[int, int, Place]]:
        """On a connection of its own: a node whose breaker is open may know who took its place."""
        writer = await self._address(place).open(SETUP_TIMEOUT_S)
        link = RedisConnection(self._loop, SETUP_TIMEOUT_S, _ignore_end)
        link.take_over(writer)
        try:
            reply = await link.send(CLUSTER_SLOTS, self._loop.time() + SETUP_TIMEOUT_S)
        finally:
            link.close()
        if isinstance(reply, RedisConnectionError):
            raise RedisConnectionError(str(reply))
        if not isinstance(reply, list):
            raise RedisConnectionError(str(LOST))
        ranges = cast("list[tuple[int, int, list[bytes | int]]]", reply)
        return [(first, last, _place(primary, place)) for first, last, primary, *_ in ranges]

    def _adopt(self, ranges: Sequence[tuple[int, int, Place]]) -> None:
        owners: list[Place | None] = [None] * SLOTS
        for first, last, place in ranges:
            owners[first : last + 1] = [place] * (last + 1 - first)
        self._owners = owners
        self._used = {place for _, _, place in ranges}
        for place in self._used:
            self._node(place)
        for place in self._nodes.keys() - self._used:
            if self._nodes[place].in_flight:
                self._wanted.set()  # its last answers are still to come: next time
            else:
                self._retire(place)
        self._judge(None, str(UNSERVED) if None in owners else "")

    def _retire(self, place: Place) -> None:
        """It has no slots any more."""
        closing = self._loop.create_task(self._nodes.pop(place).close())
        self._retiring.add(closing)
        closing.add_done_callback(self._retiring.discard)


def _ignore_end(link: RedisConnection, failure: RedisConnectionError) -> None:
    """Whoever waits for its reply is told."""


def named(redirection: str, by: Place) -> Place:
    """Where `MOVED slot host:port` or `ASK slot host:port` sends a call; without a host it is the one that says so."""
    host, _, port = redirection.split()[2].rpartition(":")
    return (host if host not in UNNAMED else by[0], int(port))


def _place(entry: Sequence[bytes | int | None], by: Place) -> Place:
    host, port = entry[0], entry[1]
    name = host.decode() if isinstance(host, bytes) else ""
    return (name if name not in UNNAMED else by[0], int(port or 0))
