"""supervisor/status.py: what operators see of targets."""

from gateway.history.target_events import TargetEvents
from gateway.kernel.faults import UPSTREAM_RESET
from gateway.kernel.health import Findings, Verdict
from gateway.observe.node_metrics import NodeMetrics
from gateway.settings import parse
from gateway.supervisor.status import show, target_states
from gateway.table.snapshot import Snapshot, compile_snapshot
from tests.clocks import ManualClock

WORKERS = [
    b'{"orders":[{"idle":1,"active":0,"pending":0},{"idle":0,"active":4,"pending":7}]}',
    b'{"orders":[{"idle":2,"active":1,"pending":0},{"idle":0,"active":0,"pending":0}]}',
]
ROUTES = "routes: [{id: r, match: {prefix: /}, upstream: orders}]"


def snapshot(*urls: str, more: str = "") -> Snapshot:
    targets = ", ".join(f'{{url: "{url}"}}' for url in urls)
    return compile_snapshot(
        parse(f"version: 1\nupstreams: [{{id: orders, targets: [{targets}]{more}}}]\n{ROUTES}\n"), None, "gateway.yaml"
    )


def series(node: NodeMetrics) -> dict[str, float]:
    lines = b"".join(node.pieces()[0]).decode().splitlines()
    return {
        name: float(value)
        for line in lines
        if line.startswith(("gateway_upstream_target_up", "gateway_upstream_breaker_open"))
        for name, _, value in [line.rpartition(" ")]
    }


def test_targets_are_reported_as_they_are_now() -> None:
    time = ManualClock()
    made = snapshot("http://a", "https://b:8443/base", more=", breaker: {}")
    row = made.shared_state.upstreams["orders"]
    row.targets[1].ejected_until, row.targets[1].ejected_by, row.targets[1].reason = (
        time.clock.monotonic() + 2.5,
        77,
        UPSTREAM_RESET.name,
    )
    assert target_states(made, time.clock, WORKERS, TargetEvents()) == [
        {
            "id": "orders",
            "circuit": {"state": "closed"},
            "targets": [
                {
                    "url": "http://a:80",
                    "weight": 1,
                    "state": "up",
                    "connections": {"idle": 3, "active": 1, "pending": 0},
                },
                {
                    "url": "https://b:8443/base",
                    "weight": 1,
                    "state": "ejected",
                    "connections": {"idle": 0, "active": 4, "pending": 7},
                    "ejection": {"left_s": 2.5, "reason": "upstream_reset", "by_pid": 77},
                },
            ],
        }
    ]
    time.advance(2.5)
    assert [target["state"] for target in target_states(made, time.clock, [], TargetEvents())[0]["targets"]] == [
        "up",
        "up",
    ]
    row.targets[1].ejections = 1
    assert [target["state"] for target in target_states(made, time.clock, [], TargetEvents())[0]["targets"]] == [
        "up",
        "trial",
    ]


def test_checks_are_reported_with_what_came_of_the_last_one() -> None:
    time = ManualClock()
    made = snapshot("http://a", "http://b", more=", health: {path: /healthz}")
    first, second = made.shared_state.upstreams["orders"].targets
    first.findings, first.checked_at, first.result = Findings(Verdict.DOWN, 1), 1_800_000_000.25, "upstream_refused"
    second.findings, second.checked_at, second.result = Findings(Verdict.UP, 0), 1_800_000_000.0, 204
    second.ejected_until = time.clock.monotonic() + 1
    assert [
        (target["state"], target["check"])
        for target in target_states(made, time.clock, [], TargetEvents())[0]["targets"]
    ] == [
        ("down", {"verdict": "down", "against": 1, "result": "upstream_refused", "at": "2027-01-15T08:00:00.250Z"}),
        ("ejected", {"verdict": "up", "against": 0, "result": 204, "at": "2027-01-15T08:00:00.000Z"}),
    ]


def test_a_circuit_is_reported_as_it_is_now() -> None:
    time = ManualClock()
    made = snapshot("http://a", more=", breaker: {}")
    made.shared_state.upstreams["orders"].opens, made.shared_state.upstreams["orders"].open_until = (
        1,
        time.clock.monotonic() + 4,
    )
    assert target_states(made, time.clock, [], TargetEvents())[0]["circuit"] == {"state": "open", "left_s": 4.0}
    time.advance(4)
    assert target_states(made, time.clock, [], TargetEvents())[0]["circuit"] == {"state": "half open"}
    assert target_states(snapshot("http://a"), time.clock, [], TargetEvents())[0]["circuit"] is None


def test_metrics_follow_the_targets_of_the_configuration_in_force() -> None:
    time, node = ManualClock(), NodeMetrics()
    made = snapshot("http://a", "http://b", more=", breaker: {}")
    show(made, node, time.clock)
    up = 'gateway_upstream_target_up{target="%s",upstream="orders"}'
    assert series(node) == {up % "a:80": 1, up % "b:80": 1, 'gateway_upstream_breaker_open{upstream="orders"}': 0}
    row = made.shared_state.upstreams["orders"]
    row.targets[1].ejected_until, row.opens = time.clock.monotonic() + 1, 1
    assert series(node) == {up % "a:80": 1, up % "b:80": 0, 'gateway_upstream_breaker_open{upstream="orders"}': 1}
    show(snapshot("http://b", "http://c"), node, time.clock)
    assert series(node) == {up % "b:80": 1, up % "c:80": 1}


def test_targets_and_circuits_are_reported_with_their_past() -> None:
    time, events = ManualClock(), TargetEvents()
    made = snapshot("http://a", "http://b", more=", breaker: {}")
    row = made.shared_state.upstreams["orders"]
    events.observe(made, time.clock.monotonic(), 1_800_000_000.0)
    row.targets[0].ejected_until, row.targets[0].reason = time.clock.monotonic() + 9, UPSTREAM_RESET.name
    row.opens = 1
    events.observe(made, time.clock.monotonic(), 1_800_000_001.5)
    (shown,) = target_states(made, time.clock, [], events)
    at = "2027-01-15T08:00:01.500Z"
    assert shown["targets"][0]["since"] == at
    assert shown["targets"][0]["history"] == [
        {"at": at, "before": "up", "state": "ejected", "reason": "upstream_reset"}
    ]
    assert "since" not in shown["targets"][1]
    assert shown["circuit"]["history"] == [{"at": at, "before": "closed", "state": "half open"}]
