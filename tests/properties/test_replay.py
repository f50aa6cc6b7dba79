"""A log that is replayed under the configuration that it was written with finds nothing changed."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dry_run.access_lines import LogLines
from gateway.dry_run.replay import is_changed, replay
from gateway.dry_run.run import compiled
from gateway.settings import parse
from tests.clocks import ManualClock
from tests.dry_runs import SECRET, TEXT
from tests.logged_gateway import LoggedGateway

TIGHT = parse(TEXT.replace("max: 300", "max: 6"))
calls = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.0004, 0.003, 0.0999, 0.4, 1.0, 9.7)),
        st.sampled_from(("GET", "POST", "PUT", "DELETE")),
        st.sampled_from(
            ("/v1/pets", "/v1/pets/7", "/v1/pets/mine", "/v1/PETS", "/status", "/none", "/limits", "/v1//x")
        ),
        st.sampled_from((SECRET, SECRET, SECRET, "", "unknown")),
        st.sampled_from(("", "", "initech", "gone", "nobody")),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(calls, st.integers(0, 30))
def test_nothing_changes_under_the_same_configuration(
    calls: list[tuple[float, str, str, str, str]], unlogged: int
) -> None:
    async def run() -> None:
        clock = ManualClock(1_700_000_000_000_123)
        gateway = LoggedGateway(TIGHT, clock)
        for number, (pause_s, method, target, secret, organization) in enumerate(calls):
            clock.advance(pause_s)
            await gateway.serve(method, target, secret, organization)
            if number < unlogged:  # the log begins after these
                gateway.lines.clear()
        lines = LogLines()
        parts = compiled(TIGHT, clock.clock)
        for against in (None, parts):
            async for replayed in replay(lines.read(gateway.lines), parts, against):
                assert not is_changed(replayed), replayed
        assert lines.other_lines == 0

    asyncio.run(run())
