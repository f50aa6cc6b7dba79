"""The requests that each peer gets, by name of the scenario."""

from dataclasses import dataclass
from typing import Literal

Callers = Literal["zipf", "ten", "many", "spent", "unknown"]
"""Who asks: 4,000 keys by Zipf's law, 10 or 16,000 keys alike, keys whose limit is spent, or nobody that is known."""

MANY_KEYS, ZIPF_KEYS, TEN_KEYS, SPENT_KEYS = 16_000, 4_000, 10, 20


@dataclass(frozen=True)
class Scenario:
    """One kind of request. The plain proxy knows no limits, passes everything on, and answers 200 in each scenario."""

    name: str
    about: str
    status: int = 200
    """What everybody but the plain proxy answers."""
    method: Literal["GET", "POST"] = "GET"
    path: str = "/v1/orders/1kb/"
    """A number is put behind it."""
    callers: Callers = "zipf"
    connections: int = 64
    close: bool = False
    tls: bool = False
    least_s: int = 1
    """Shortest load that gets beyond opening the connections."""
    warm_s: int = 0
    """Load before the first round, where it takes long until all keys have been seen: active ones are in use."""
    without: frozenset[str] = frozenset()
    """The peers of which it says nothing new. They are left out, unless somebody chooses peers."""


_COMPILED = frozenset({"embedded-sources"})
"""One scenario says how much it brings to compile."""
_PARSED = _COMPILED | {"lua-checked"}
"""The latter differs from `lua` where a reply is parsed, the more the larger it is."""
_SLOW = _COMPILED | {"aiohttp"}
_MANY = _PARSED | _SLOW
_KEYS = _MANY | {"lua"}
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("100b", "reply of 100 bytes", path="/v1/orders/100b/", without=_MANY),
        Scenario("1kb", "reply of 1 KB"),
        Scenario("10kb", "reply of 10 KB", path="/v1/orders/10kb/", without=_SLOW),
        Scenario("100kb", "reply of 100 KB", path="/v1/orders/100kb/", without=_COMPILED),
        Scenario("1mb", "reply of 1 MB", path="/v1/orders/1mb/", without=_COMPILED),
        Scenario("1mb-ten", "one of ten replies of 1 MB", path="/v1/orders/1mb-ten/", without=_SLOW),
        Scenario("post", "POST of 1 KB", method="POST", without=_PARSED),
        Scenario("enveloped", "reply in the envelope already", path="/v1/orders/enveloped/", without=_MANY),
        Scenario("401", "unknown key", status=401, callers="unknown", without=_PARSED),
        Scenario("404", "no such route", status=404, path="/elsewhere/", without=_PARSED),
        Scenario("429", "limit spent", status=429, callers="spent", without=_PARSED),
        Scenario("keys10", "10 active keys", callers="ten", without=_KEYS),
        Scenario("keys16k", "16,000 active keys", callers="many", warm_s=10, without=_KEYS),
        Scenario("tls", "clients over TLS", tls=True, without=_MANY),
        Scenario("close", "a connection for each request", close=True, without=_MANY),
        Scenario("conns1024", "1,024 connections", connections=1024, without=_MANY),
        Scenario("conns4096", "4,096 connections", connections=4096, least_s=3, without=_MANY),
    )
}
"""All have 64 connections, which are kept, a reply of 1 KB and 4,000 keys by Zipf's law, but for what `about` says."""

QUICK = ("1kb", "401", "429")
"""What is measured unless somebody chooses."""

COUNTED = QUICK
"""Those for which `--save` counts instructions of the gateways, as callgrind takes half a minute for each."""

GOALS = {
    ("1kb", "embedded"): 2.7,
    ("1kb", "redis"): 2.9,
    ("1mb", "embedded"): 1.6,
    ("1mb", "redis"): 1.6,
    ("1mb-ten", "embedded"): 1.6,
    ("1mb-ten", "redis"): 1.6,
    ("post", "embedded"): 3.2,
    ("post", "redis"): 3.2,
    ("401", "embedded"): 2.2,
    ("401", "redis"): 2.2,
    ("404", "embedded"): 2.2,
    ("404", "redis"): 2.2,
    ("429", "embedded"): 2.8,
    ("429", "redis"): 2.8,
}
"""What a scenario should cost a peer at most, in times of the plain proxy."""
