"""A log that is replayed under the configuration that it was written with finds nothing changed."""

import asyncio
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dry_run.access_lines import LogLines
from gateway.dry_run.replay import is_changed, replay
from gateway.dry_run.run import compiled
from gateway.settings import parse
from tests.clocks import ManualClock
from tests.dry_runs import SECRET, TEXT
from tests.logged_gateway import LoggedGateway

NARROW = "gw_a_secret_of_the_key_narrow"
VARIED = parse(
    TEXT.replace("max: 300", "max: 6")
    .replace("b" * 64, sha256(NARROW.encode()).hexdigest())
    .replace("{id: initech}", "{id: initech, limits: [{id: together, max: 3, per: 2s}], concurrency: 9}")
    + """
- {id: near, match: {path: /near}, upstream: other, allow: [192.0.2.0/24], deny: [192.0.2.9]}
- {id: shared, match: {path: "/shared/{id}"}, split: [{upstream: pets, weight: 1}, {upstream: other, weight: 2}], cost: {POST: 3}}
- {id: kept, match: {path: /kept}, upstream: other, auth: none, cache: {ttl: 1s}, limits: [{id: all, max: 2, per: 1s, scope: route}]}
- {id: closed, match: {path: /closed}, upstream: other, maintenance: {message: Later.}, envelope: {mode: passthrough}}
"""
)
PATHS = (
    "/v1/pets",
    "/v1/pets/7",
    "/v1/pets/mine",
    "/v1/PETS",
    "/v1//x",
    "/v1/files/a/b?c=d",
    "/status",
    "/none",
    "/limits",
    "/near",
    "/shared/1",
    "/shared/2;x",
    "/kept",
    "/closed",
)
calls = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.0004, 0.003, 0.0999, 0.4, 1.0, 9.7)),
        st.sampled_from(("GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")),
        st.sampled_from(PATHS),
        st.sampled_from((SECRET, SECRET, SECRET, NARROW, "", "unknown")),
        st.sampled_from(("", "", "initech", "gone", "nobody")),
        st.sampled_from(("192.0.2.7", "192.0.2.7", "192.0.2.9", "10.0.0.1")),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(calls, st.integers(0, 30))
def test_nothing_changes_under_the_same_configuration(
    calls: list[tuple[float, str, str, str, str, str]], unlogged: int
) -> None:
    async def run() -> None:
        clock = ManualClock(1_700_000_000_000_123)
        gateway = LoggedGateway(VARIED, clock)
        for number, (pause_s, method, target, secret, organization, client) in enumerate(calls):
            clock.advance(pause_s)
            await gateway.serve(method, target, secret, organization, client)
            if number < unlogged:  # the log begins after these
                gateway.lines.clear()
        lines = LogLines()
        parts = compiled(VARIED, clock.clock)
        for against in (None, parts):
            async for replayed in replay(lines.read(gateway.lines), parts, against):
                assert not is_changed(replayed), replayed
        assert lines.other_lines == 0

    asyncio.run(run())
