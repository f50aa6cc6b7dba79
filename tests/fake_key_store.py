"""A key store whose content, availability and delay a test controls."""

import asyncio
import json
from collections import Counter

import hiredis

from gateway.keystore.cache import RESULTS, StoredKeys
from gateway.keystore.reader import FIND_SHA, KeyReader
from gateway.keystore.records import KeyNames, proof_of_certificate, proof_of_secret
from gateway.redis_client.connection import RedisReply
from gateway.redis_client.server import AWAY
from gateway.settings import parse
from gateway.settings.checks.stored_keys import References
from gateway.table.keys import KeyMaker
from tests.clocks import ManualClock
from tests.yaml_files import LEAST

NAMES = KeyNames.of("gw")


class FakeKeyStore:
    """`call` is that of a RedisStore that has nothing but keys.

    `asked` counts the commands, and keys that are looked for.
    """

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.ids: dict[str, bytes] = {}
        self.changes: list[bytes] = []
        self.used: dict[str, int] = {}
        self.asked: Counter[str] = Counter()
        self.commands = 0
        self.away = False
        self.refuses: set[str] = set()
        self.open = asyncio.Event()
        """Replies wait until it is set."""
        self.open.set()

    def put(self, secret: str, **key: object) -> str:
        """Adds a key with `secret`; returns its proof."""
        proof = proof_of_secret(secret)
        self.entries[proof] = json.dumps({"id": secret, **key}).encode()
        return proof

    def put_certified(self, subject: str, **key: object) -> str:
        proof = proof_of_certificate(subject)
        self.entries[proof] = json.dumps({"id": "certified", "certificate_subject": subject, **key}).encode()
        return proof

    def name(self, key_id: str, **key: object) -> None:
        """Adds a key that can be found by its id."""
        stored = {"key": {"id": key_id, **key}, "secrets": [{"sha256": "a" * 64}], "created": "2026-01-01T00:00:00Z"}
        self.ids[key_id] = json.dumps(stored).encode()

    def change(self, name: str, *proofs: str) -> None:
        self.changes.insert(0, " ".join([name, *proofs]).encode())

    async def call(self, command: bytes, tag: str) -> RedisReply:
        assert tag == "keys"
        reader = hiredis.Reader()
        reader.feed(command)
        _, script, _, key, *arguments = reader.gets()
        name, *about = [b"HGET", *arguments] if script == FIND_SHA else arguments
        self.asked[name.decode()] += len(about) if script == FIND_SHA else 1
        self.commands += 1
        if script == FIND_SHA and "HGET" not in self.refuses:
            reply: RedisReply = [1, [self.entries.get(each.decode()) for each in about]]  # type: ignore[list-item]
        else:
            reply = self._reply(name.decode(), key.decode(), [each.decode() for each in about])
        await self.open.wait()
        return AWAY if self.away else reply

    def _reply(self, name: str, key: str, arguments: list[str]) -> RedisReply:
        if name in self.refuses:
            return [0, b"NOPERM you may not"]  # type: ignore[list-item]
        if name == "HSET":
            assert key == NAMES.used
            self.used |= {key_id: int(at) for key_id, at in zip(arguments[::2], arguments[1::2], strict=True)}
        results = {
            "HGET": self.ids.get(arguments[0]),
            "LINDEX": self.changes[0] if self.changes else None,
            "LRANGE": self.changes,
        }
        return [1, results.get(name)]  # type: ignore[list-item]


class Uncounted:
    def inc(self) -> None:
        pass


STORED = parse(LEAST + "redis: {url: 'redis://a'}\nkeys: {store: redis}\norganizations: [{id: acme}]\n")


def stored_keys(key_store: FakeKeyStore) -> StoredKeys:
    """Those on the key_store, by the least configuration that has its keys in Redis; time stands still."""
    clock = ManualClock().clock
    results = dict.fromkeys(RESULTS, Uncounted())
    return StoredKeys(KeyReader(key_store.call, "gw"), References(STORED), KeyMaker(STORED).make, results, clock)
