"""Stored keys over a FakeKeyStore, and what they count."""

from collections import Counter

from gateway.kernel.faults import Fault
from gateway.keystore.cache import RESULTS, StoredKeys
from gateway.keystore.reader import KeyReader
from gateway.settings import parse
from gateway.settings.checks.stored_keys import References
from gateway.table import Caller, FoundCaller
from gateway.table.keys import KeyMaker
from tests.clocks import ManualClock
from tests.fake_key_store import FakeKeyStore
from tests.refusals import accepted, refusal
from tests.yaml_files import LEAST

CONFIG = parse(
    LEAST
    + "redis: {url: 'redis://a'}\nkeys: {store: redis}\norganizations: [{id: acme}, {id: initech}]\nplans: [{id: gold, limits: []}]\n"
)
HERE = "192.0.2.7"


class Results(Counter[str]):
    """Counts, as the metrics do."""

    def tally(self, name: str) -> "One":
        return One(self, name)


class One:
    def __init__(self, results: Results, name: str) -> None:
        self._results = results
        self._name = name

    def inc(self) -> None:
        self._results[self._name] += 1


class KeysUnderTest:
    """Stored keys over a FakeKeyStore."""

    def __init__(self, most: int = 1000) -> None:
        self.key_store = FakeKeyStore()
        self.clock = ManualClock()
        self.results = Results()
        tallies = {name: self.results.tally(name) for name in RESULTS}
        self.keys = StoredKeys(
            KeyReader(self.key_store.call, "gw"),
            References(CONFIG),
            KeyMaker(CONFIG).make,
            tallies,
            self.clock.clock,
            most,
        )

    async def find(
        self, secret: str, organization: str | None = None, wall_s: float = 1000.0, client: str = HERE
    ) -> Caller:
        return accepted(await self.ask(secret, organization, wall_s, client))

    async def ask(
        self, secret: str, organization: str | None = None, wall_s: float = 1000.0, client: str = HERE
    ) -> FoundCaller:
        return await self.keys.find(secret, organization, wall_s, client)

    async def refused(self, secret: str, organization: str | None = None, client: str = HERE) -> Fault:
        return refusal(await self.ask(secret, organization, client=client)).fault

    @property
    def lookups(self) -> int:
        return self.key_store.asked["HGET"]
