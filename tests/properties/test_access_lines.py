"""The line of an exchange that is like one before is, byte for byte, the line that its whole access record makes."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.exchange import CacheUse, Exchange, Reply
from gateway.kernel.faults import KEY_MISSING, RATE_LIMITED, UPSTREAM_REFUSED, GatewayError
from gateway.kernel.limits.token_bucket import Decision, WindowState
from gateway.observe.access_log import AccessLog, AccessRecord
from gateway.observe.metrics import Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRing
from gateway.stages.record import Recorder
from gateway.upstream.call import Answer
from tests.logged_gateway import Lines
from tests.samples import MINUTE, Pieces, caller, exchange, route
from tests.unit.upstream.calls import call

texts = st.one_of(
    st.text(st.characters(), max_size=20),  # lone surrogates too, as bytes over 127 of a client become
    st.sampled_from(['"', "\\", "\x00\x1f\x7f", "\u2028", "\udc80", "%s{0}", ""]),
)
durations = st.one_of(st.floats(0.0, 1e12), st.sampled_from([0.0, 1e-07, 1e-05, 0.001, 0.9999999, 1e16]))
sizes = st.integers(0, 2**62)
ids = st.text("0123456789abcdef-", min_size=1, max_size=36)
callers = st.one_of(st.none(), st.builds(caller, id=ids, organization=st.none() | ids))
remaining = st.one_of(st.none(), sizes)

NOON_S = 1_780_315_200.25
METRICS = Metrics()
ERRORS = ErrorLog(ErrorRing())
ROUTE = route()
KINDS: tuple[dict[str, Any], ...] = (
    {"route": ROUTE, "status": 200, "source": "upstream", "target": "10.0.0.1:80", "allowed": True},
    {"route": ROUTE, "status": 404, "source": "upstream", "target": 'a"b\\é', "allowed": True, "code": 3001},
    {"route": ROUTE, "status": 429, "fault": RATE_LIMITED, "allowed": False},
    {"route": ROUTE, "status": 503, "fault": UPSTREAM_REFUSED, "allowed": True},
    {"route": ROUTE, "status": 401, "fault": KEY_MISSING},
    {"route": ROUTE, "status": 200, "peeked": True, "allowed": True},
    {"route": ROUTE, "status": 200, "source": "upstream", "cache": "hit"},
    {"route": ROUTE, "status": 200, "source": "upstream", "cache": "stale", "fault": UPSTREAM_REFUSED},
    {"route": None, "status": 404},
)


class OnlyAlike(AccessLog):
    """Refuses whole access records, so that such a line is missing."""

    def write(self, record: AccessRecord, wall_s: float) -> None:
        raise AssertionError(record)


@st.composite
def exchanges(draw: st.DrawFn, kind: dict[str, Any]) -> Exchange:
    x = exchange(
        route=kind["route"],
        caller=draw(callers),
        request_id=draw(ids),
        trace_id=draw(ids),
        client=draw(texts),
        path=draw(texts),
        upstream_s=draw(durations),
        client_s=draw(durations),
        sent_bytes=draw(sizes),
        peeked=kind.get("peeked", False),
    )
    if "allowed" in kind:
        left = draw(remaining)
        states = () if left is None else (WindowState(MINUTE, left, 200_000, 0),)
        x.decision = Decision(allowed=kind["allowed"], store="local", states=states)
    if "target" in kind:
        x.call, x.answer = call(), Answer(kind["status"], [], b"", None, 0, kind["target"])
    if "fault" in kind:
        x.error = GatewayError(kind["fault"])
    if "cache" in kind:
        x.cache = CacheUse(kind["cache"], draw(durations))
    if draw(st.booleans()):
        x.body = Pieces()
        x.body.received = draw(sizes)
    x.reply = Reply(
        kind["status"],
        [],
        b"",
        kind.get("code", 0),
        kind.get("source", "gateway"),
        upstream_request_id=draw(st.none() | texts),
    )
    return x


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_line_of_what_exchanges_have_in_common_is_that_of_the_whole_record(data: st.DataObject) -> None:
    alike, whole, together = Lines(), Lines(), Lines()
    logs = [kind(lines, lambda: NOON_S) for kind, lines in ((OnlyAlike, alike), (AccessLog, whole))]
    logs[1].follow(lambda _: None)  # who follows gets whole records
    recorders = [Recorder(METRICS, log, "X-Api-Key", ERRORS) for log in logs]
    waiting: list[Callable[[], None]] = []
    recorders.append(Recorder(METRICS, OnlyAlike(together, lambda: NOON_S), "X-Api-Key", ERRORS, waiting.append))
    kind = data.draw(st.sampled_from(KINDS))
    for x in data.draw(st.lists(exchanges(kind), min_size=2, max_size=2)):
        x.started = -data.draw(durations)
        for recorder in recorders:
            recorder.begin()
            recorder.record(x, 0.0)
    assert together.lines == []
    for each in waiting:
        each()
    assert alike.lines == whole.lines == together.lines
    assert len(whole.lines) == 2
    assert METRICS.unrecorded.value == 0
    assert all(msgspec.json.decode(line) for line in whole.lines)
