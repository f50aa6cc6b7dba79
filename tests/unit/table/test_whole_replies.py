"""table/whole_replies.py: what routes do with whole replies, ready for requests."""

from gateway.kernel.caching.storage import CacheRules
from gateway.kernel.http.compression import CompressionRules
from gateway.settings import parse
from gateway.table.routes import Idempotency
from gateway.table.whole_replies import cache_rules, compression_rules, idempotency_rules, own_lines, privacy_lines

CONFIG = parse("""
version: 1
upstreams: [{id: u, targets: [{url: "http://a:1"}]}]
defaults: {compression: {codings: [br]}}
routes:
- {id: plain, match: {path: /a}, upstream: u, compression: {codings: []}}
- {id: open, match: {path: /b}, upstream: u, auth: none, cache: {ttl: 30s, vary: [X-B, X-A]}}
- {id: keyed, match: {path: /c}, upstream: u, cache: {}, idempotency: {ttl: 1h}}
""")


def test_what_is_left_out_costs_nothing() -> None:
    plain = CONFIG.routes[0]
    assert compression_rules(CONFIG.compression_of(plain)) is None
    assert (cache_rules(plain), idempotency_rules(plain)) == (None, None)


def test_rules_are_ready_for_requests() -> None:
    _, opened, keyed = CONFIG.routes
    assert compression_rules(CONFIG.compression_of(opened)) == CompressionRules(("br",), 1024)
    assert cache_rules(opened) == CacheRules(30.0, 64 << 20, ("x-a", "x-b"), "public", 0.0, 0.0)
    assert cache_rules(keyed) == CacheRules(None, 64 << 20, (), "organization", 0.0, 0.0)
    assert idempotency_rules(keyed) == Idempotency("Idempotency-Key", 3600.0)


def test_for_whom_a_reply_is() -> None:
    private = ("Cache-Control", "private")
    assert privacy_lines((), ("X-Api-Key",), private=True) == ((("Vary", "X-Api-Key"), private), ())
    assert privacy_lines((), ("X-Version",), private=False) == ((("Vary", "X-Version"),), ())
    assert privacy_lines((("vary", "A"),), (), private=False) == ((), (("vary", "A"),))
    privacy, merged = privacy_lines((("vary", "A"), ("Retry-After", "1")), ("B",), private=True)
    assert (privacy, merged[0]) == ((private,), ("vary", "A, B"))
    assert own_lines(privacy, merged) == (("vary", "A, B"),)
