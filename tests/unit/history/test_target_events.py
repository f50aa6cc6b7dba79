"""history/target_events.py: when targets went and came back."""

from gateway.history.target_events import CIRCUIT, TargetEvents
from gateway.kernel.faults import UPSTREAM_RESET
from gateway.kernel.health import Findings, Verdict
from tests.unit.supervisor.test_status import snapshot

URL = "http://a:80"


def changes_of(events: TargetEvents) -> list[tuple[float, str, str, str, str | None]]:
    return [(each.at, each.target, each.before, each.state, each.reason) for each in events.events]


def test_an_ejection_and_its_end_are_noted() -> None:
    events, made = TargetEvents(), snapshot("http://a", "http://b")
    row = made.shared_state.upstreams["orders"].targets[0]
    events.observe(made, 10.0, 1000.0)
    assert events.since("orders", URL) is None
    row.ejected_until, row.ejections, row.reason = 20.0, 1, UPSTREAM_RESET.name
    events.observe(made, 11.0, 1001.0)
    events.observe(made, 12.0, 1002.0)
    assert events.since("orders", URL) == 1001.0
    events.observe(made, 21.0, 1011.0)
    row.ejections = 0
    events.observe(made, 22.0, 1012.0)
    assert changes_of(events) == [
        (1001.0, URL, "up", "ejected", "upstream_reset"),
        (1011.0, URL, "ejected", "trial", None),
        (1012.0, URL, "trial", "up", None),
    ]
    assert repr(events) == "<TargetEvents 2 watched, 3 events>"


def test_a_failed_check_is_noted_with_its_result() -> None:
    events, made = TargetEvents(), snapshot("http://a", more=", health: {path: /healthz}")
    row = made.shared_state.upstreams["orders"].targets[0]
    events.observe(made, 10.0, 1000.0)
    row.findings, row.result = Findings(Verdict.DOWN, 0), 500
    events.observe(made, 11.0, 1001.0)
    assert changes_of(events) == [(1001.0, URL, "up", "down", "500")]


def test_a_circuit_opens_and_closes() -> None:
    events, made = TargetEvents(), snapshot("http://a", more=", breaker: {}")
    row = made.shared_state.upstreams["orders"]
    events.observe(made, 10.0, 1000.0)
    row.opens, row.open_until = 1, 15.0
    events.observe(made, 11.0, 1001.0)
    events.observe(made, 16.0, 1006.0)
    row.opens = 0
    events.observe(made, 17.0, 1007.0)
    assert [(before, state) for _, target, before, state, _ in changes_of(events) if target == CIRCUIT] == [
        ("closed", "open"),
        ("open", "half open"),
        ("half open", "closed"),
    ]


def test_a_reload_changes_no_state_of_the_targets_that_stay() -> None:
    events, before = TargetEvents(), snapshot("http://a", "http://b")
    before.shared_state.upstreams["orders"].targets[0].ejected_until = 99.0
    events.observe(snapshot("http://a", "http://b"), 10.0, 1000.0)
    events.observe(before, 11.0, 1001.0)
    after = snapshot("http://c", "http://a")
    after.shared_state.adopt(before.shared_state, 12.0)
    events.observe(after, 12.0, 1002.0)
    assert (events.since("orders", URL), events.since("orders", "http://b:80")) == (1001.0, None)
    assert len(events.events) == 1
