"""A configuration for dry runs, and dry runs of it."""

from hashlib import sha256

from gateway.dry_run.limiter import PeekingLimiter
from gateway.dry_run.run import DryRun, compiled
from gateway.limiter.interface import Decider
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.settings import Config, parse
from tests.clocks import ManualClock

SECRET = "gw_a_secret_of_the_key_acme_ci"
TEXT = f"""
version: 1
server: {{limits_path: /limits}}
organizations: [{{id: acme}}, {{id: initech}}, {{id: gone, disabled: true}}]
plans:
- {{id: standard, limits: [{{id: minute, max: 300, per: 1m}}, {{id: tighter, max: 1, per: 1m, shadow: true}}],
   quotas: [{{id: starts, code: 8001, kind: count, max: 2, charge: [{{routes: [pets.list], methods: [POST]}}]}}]}}
- {{id: free, limits: []}}
keys:
- {{id: acme-ci, secret_sha256: {sha256(SECRET.encode()).hexdigest()}, organizations: [acme, initech, gone]}}
- {{id: narrow, secret_sha256: {"b" * 64}, routes: ["pets.*"], methods: [GET], plan: free}}
- {{id: off, secret_sha256: {"c" * 64}, disabled: true}}
upstreams:
- {{id: pets, targets: [{{url: "http://127.0.0.1:1/base"}}, {{url: "http://127.0.0.1:2"}}]}}
- {{id: other, targets: [{{url: "http://127.0.0.1:3"}}]}}
routes:
- {{id: pets.list, match: {{path: /v1/pets, methods: [GET, POST]}}, upstream: pets,
   headers: {{request: {{set: {{Authorization: Bearer of-the-service, X-Plain: "1"}}}}}}}}
- {{id: pets.item, match: {{path: "/v1/pets/{{id}}"}}, upstream: pets, limits: [{{id: second, max: 3, per: 1s}}], cost: 2}}
- {{id: pets.mine, match: {{path: /v1/pets/mine, methods: [GET]}}, upstream: pets}}
- {{id: rest, match: {{prefix: /v1}}, upstream: other, rewrite: {{strip_prefix: /v1}}}}
- {{id: files, match: {{path: "/v1/files/{{name*}}"}}, upstream: other}}
- {{id: open, match: {{path: /status, methods: [GET]}}, upstream: other, auth: none, plan: free}}
"""
CONFIG = parse(TEXT)


def dry_run(config: Config = CONFIG, clock: ManualClock | None = None, limiter: Decider | None = None) -> DryRun:
    """Dry runs of `config`. `limiter` is asked what is left, None for one of which nothing is used."""
    clock = clock or ManualClock()
    peeking = PeekingLimiter(limiter or LocalLimiter(clock.clock), clock.clock)
    return DryRun(compiled(config, clock.clock), peeking, clock.clock)
