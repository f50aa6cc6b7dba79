"""What a dry run reports is what a gateway does that serves the same request."""

import asyncio
import os
from hashlib import sha256
from typing import Any, NamedTuple

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.dry_run.explanation import explain
from gateway.dry_run.request import DryRequest
from gateway.edge.from_settings import head_checker
from gateway.edge.request_head import Peer
from gateway.exchange import Exchange
from gateway.kernel.ids import Ids
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.observe.access_log import AccessLog
from gateway.observe.metrics import Metrics
from gateway.observe.writer import Writer
from gateway.pipeline import Gateway
from gateway.settings import Config, ConfigError, parse
from gateway.stages.record import Recorder
from gateway.table.compile import build_credentials, build_faults, build_routes
from gateway.upstream.call import Call
from gateway.upstream.http1.framing import Origin, request_head
from tests.clocks import ManualClock
from tests.dry_runs import dry_run
from tests.in_memory_gateway import Client
from tests.samples import Echo, Pieces

CLIENT = "192.0.2.7"
SECRETS = {name: f"gw_{name}_0123456789abcdefghijklmn" for name in ("free", "tied", "narrow", "off", "old")}
METRICS, WRITER = Metrics(), Writer(os.open(os.devnull, os.O_WRONLY))

words = st.sampled_from(("pets", "Pets", "{id}", "mine", "a%20b"))
patterns = st.lists(words, min_size=1, max_size=3, unique=True).map(lambda parts: "/" + "/".join(parts))
methods = st.lists(st.sampled_from(("GET", "POST", "DELETE")), min_size=1, max_size=3, unique=True)
routes = st.fixed_dictionaries(
    {
        "match": st.builds(
            lambda where, some, host, condition: {
                **where,
                "methods": some,
                **({"host": host} if host else {}),
                **({"headers": condition} if condition else {}),
            },
            st.one_of(
                st.builds(lambda path: {"path": path}, patterns),
                st.builds(lambda word: {"prefix": f"/{word}"}, st.sampled_from(("pets", "mine"))),
            ),
            methods,
            st.sampled_from(("", "", "", "api.example.com", "*.example.com")),
            st.sampled_from(({}, {}, {}, {"X-Version": "2"})),
        ),
        "upstream": st.sampled_from(("plain", "based")),
    },
    optional={
        "split": st.just([{"upstream": "plain", "weight": 1}, {"upstream": "based", "weight": 3}]),
        "allow": st.sampled_from((*[["192.0.2.0/24"]] * 5, ["10.0.0.0/8"])),
        "deny": st.sampled_from((*[["10.0.0.0/8"]] * 5, ["192.0.2.7/32"])),
        "cache": st.just({}),
        "idempotency": st.just({}),
        "cors": st.just({"origins": ["https://page.example"]}),
        "upgrade": st.just(["websocket"]),
        "error_family": st.just("analytics"),
        "maintenance": st.sampled_from((*[{"until": "1970-01-01T00:00:01Z"}] * 5, {"message": "Later."})),
        "auth": st.just("none"),
        "cost": st.integers(0, 3),
        "limits": st.just([{"id": "second", "max": 3, "per": "1s"}]),
        "rewrite": st.sampled_from(({"add_prefix": "/v9"}, {"strip_prefix": "/pets"})),
        "headers": st.just({"request": {"set": {"X-Set": "1", "Host": "inner.example"}, "remove": ["X-Gone"]}}),
        "envelope": st.just({"mode": "passthrough"}),
    },
)
plain_segments = st.sampled_from(("pets", "mine", "7", "a%20b", "a.b"))
segments = st.one_of(plain_segments, st.sampled_from(("PETS", "%70ets", "x;y", "%252e", "..", "")))
queries = st.sampled_from(("", "", "", "?limit=5", "?X-Api-Key=other&a=b", "?"))
fields = st.lists(
    st.sampled_from(
        (
            ("X-Gone", "1"),
            ("Range", "bytes=0-1"),
            ("If-None-Match", 'W/"a"'),
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("X-Tenant-Org-Id", "initech"),
            ("X-Tenant-Org-Id", "nobody"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("Host", "api.example.com"),
            ("Host", "other.example.com"),
            ("X-Version", "2"),
            ("Origin", "https://page.example"),
            ("Origin", "https://other.example"),
            ("Access-Control-Request-Method", "POST"),
            ("Idempotency-Key", "a" * 300),
        )
    ),
    max_size=3,
    unique_by=lambda field: field[0],
)


def consistent(route: dict[str, Any]) -> dict[str, Any]:
    """Without what makes no sense there, and without an upstream beside those that share the callers."""
    match = route["match"]
    stripped, path = route.get("rewrite", {}).get("strip_prefix", ""), match.get("path") or match["prefix"]
    useless = {
        "upstream": "split" in route,
        "rewrite": path != stripped and not path.startswith(f"{stripped}/"),
        "cache": "GET" not in match["methods"],
        "idempotency": "POST" not in match["methods"] or "auth" in route,
    }
    return {name: value for name, value in route.items() if not useless.get(name)}


class Scenario(NamedTuple):
    """Routes, and a request that is for one of them more often than not."""

    routes: list[dict[str, Any]]
    method: str
    target: str
    headers: list[tuple[str, str]]


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    found = draw(
        st.lists(
            routes.map(consistent), min_size=1, max_size=4, unique_by=lambda route: str(route["match"].get("path"))
        )
    )
    match = draw(st.sampled_from(found))["match"]
    headers = dict(draw(fields))
    if draw(st.sampled_from((True, True, True, True, False))):
        parts = (match.get("path") or match["prefix"]).split("/")[1:]
        path = [draw(plain_segments) if part == "{id}" else part for part in parts]
        path += [] if "path" in match else draw(st.lists(plain_segments, max_size=2))
        headers |= match.get("headers", {})
        headers |= {"Host": match["host"].replace("*", "api")} if "host" in match else {}
    else:
        path = draw(st.lists(segments, min_size=1, max_size=3))
    method = draw(st.sampled_from((*match["methods"], *match["methods"], "GET", "HEAD", "POST", "PUT", "OPTIONS")))
    return Scenario(found, method, "/" + "/".join(path) + draw(queries), list(headers.items()))


def written(found: list[dict[str, Any]]) -> Config:
    """The configuration with these routes. Those that contradict one another are no example."""
    digests = {name: sha256(secret.encode()).hexdigest() for name, secret in SECRETS.items()}
    listed = [{"id": f"r{number}", **route} for number, route in enumerate(found)]
    try:
        return parse(f"""
version: 1
organizations: [{{id: acme}}, {{id: initech}}]
plans: [{{id: standard, limits: [{{id: minute, max: 4, per: 1m}}],
  quotas: [{{id: starts, code: 8001, kind: count, max: 1, charge: [{{routes: [r0]}}]}}], concurrency: {{key: 2}}}}]
keys:
- {{id: free, secret_sha256: {digests["free"]}}}
- {{id: tied, secret_sha256: {digests["tied"]}, organizations: [acme, initech]}}
- {{id: narrow, secret_sha256: {digests["narrow"]}, routes: [r0], methods: [GET]}}
- {{id: "off", secret_sha256: {digests["off"]}, disabled: true}}
- {{id: old, secret_sha256: {digests["old"]}, expires: 1970-01-01T00:00:01Z}}
upstreams: [{{id: plain, targets: [{{url: "http://127.0.0.1:1"}}]}}, {{id: based, targets: [{{url: "http://127.0.0.1:2/b"}}]}}]
routes: {listed}
""")
    except ConfigError:
        assume(False)
        raise


class Real:
    """A gateway that serves `config`. Its upstreams keep what they are sent."""

    def __init__(self, config: Config, clock: ManualClock, limiter: LocalLimiter) -> None:
        self.upstreams = {each.id: Echo() for each in config.upstreams}
        for name, echo in self.upstreams.items():
            echo.id = name
        faults = build_faults(config)
        self.gateway = Gateway(
            table=build_routes(config, self.upstreams, faults),
            credentials=build_credentials(config),
            limiter=limiter,
            recorder=Recorder(METRICS, AccessLog(WRITER, clock.clock.wall, enabled=False), "X-Api-Key"),
            clock=clock.clock,
            faults=faults,
            id_field="X-Request-Id",
        )
        self.checker = head_checker(config.server.listeners[0], Ids(os.urandom), clock.clock.monotonic, 1)

    async def serve(self, head: bytes, body: bytes) -> Exchange:
        loop = asyncio.get_running_loop()
        parser = HttpRequestParser(BaseProtocol(loop), loop, 1 << 16, max_line_size=8190, max_field_size=8190)
        message = parser.feed_data(head)[0][0][0]
        x = self.checker.to_exchange(message, Peer(CLIENT, "http", trusted=False))
        if body:
            x.body = Pieces(body, length=len(body))
        await self.gateway.handle(x, Client().send)
        return x

    def sent(self) -> tuple[str, Call] | None:
        return next(((name, echo.calls[-1]) for name, echo in self.upstreams.items() if echo.calls), None)


def same_ids(head: str) -> list[str]:
    """The lines of a head without those that differ from request to request."""
    return [line for line in head.split("\r\n") if not line.startswith(("X-Request-Id: ", "traceparent: "))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    scenario=scenarios(),
    key=st.sampled_from(("free", "free", "tied", "tied", "", *SECRETS)),
    body=st.sampled_from(("", "{}")),
    before=st.sampled_from((0, 0, 0, 1, 2, 4)),
)
def test_a_dry_run_agrees_with_the_gateway(scenario: Scenario, key: str, body: str, before: int) -> None:
    found, method, target, headers = scenario
    if any("cache" in route for route in found):
        before = 0  # a dry run does not know what the cache of a worker remembers
    config = written(found)

    async def both() -> None:
        clock = ManualClock()
        limiter = LocalLimiter(clock.clock)
        real = Real(config, clock, limiter)
        request = DryRequest(method=method, target=target, headers=tuple(headers), body=body, key_id=key, client=CLIENT)
        head = request.head("localhost", *([("X-Api-Key", SECRETS[key])] if key else []))
        for _ in range(before):
            await real.serve(head, body.encode())
        for echo in real.upstreams.values():
            echo.calls.clear()
        asked = await explain(dry_run(config, clock, limiter), request, reveal=True)
        x = await real.serve(head, body.encode())
        assert x.reply is not None
        sent = real.sent()
        assert asked.outcome.forwarded == (sent is not None)
        assert (asked.route and asked.route.id) == (x.route and x.route.id)
        assert (asked.path, asked.query) == (x.path, x.query)
        if asked.caller is not None or x.caller is not None:
            assert asked.caller is not None
            assert x.caller is not None
            assert (asked.caller.key or "anonymous", asked.caller.organization) == (x.caller.id, x.caller.organization)
        if asked.charge is not None:
            assert x.claim is not None
            assert x.decision is not None
            assert asked.charge.cost == x.claim.cost
            assert [(each.id, each.remaining) for each in asked.charge.limits] == [
                (state.window.id, state.remaining) for state in x.decision.states
            ]
        if sent is None:
            reason = x.error.fault.name if x.error else None
            assert (asked.outcome.status, asked.outcome.reason) == (x.reply.status, reason)
            assert asked.outcome.code == (x.reply.code or None)
            named = {"X-Request-Id"}
            assert [each for each in asked.outcome.fields if each[0] not in named] == [
                each for each in x.reply.all_fields() if each[0] not in named
            ]
            return
        name, call = sent
        assert asked.call is not None
        assert asked.call.upstream == name
        origin = Origin(b"/b", b"Host: 127.0.0.1:2\r\n") if name == "based" else Origin(b"", b"Host: 127.0.0.1:1\r\n")
        exact = request_head(call, origin, len(body)).decode("latin-1")
        assert same_ids(asked.call.targets[0].head) == same_ids(exact)
        assert (asked.call.total_timeout_s, asked.call.idempotent) == (call.total_timeout_s, call.idempotent)
        assert call.body == body.encode()

    asyncio.run(both())
