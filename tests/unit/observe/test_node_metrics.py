import platform
from collections.abc import Callable
from functools import partial

from gateway import __version__
from gateway.observe.metrics import Metrics
from gateway.observe.node_metrics import NodeMetrics
from gateway.observe.shared_memory import Region


def shown(node: NodeMetrics) -> dict[str, float]:
    lines = b"".join(node.pieces()[0]).decode().splitlines()
    return {
        name: float(value) for line in lines if line.startswith("gateway_") for name, _, value in [line.rpartition(" ")]
    }


def loaded(
    node: NodeMetrics, digest: str, routes: set[str], upstreams: frozenset[str] = frozenset(), keys: int | None = 9
) -> None:
    node.config_loaded(
        file="gateway.yaml",
        digest=digest,
        routes=frozenset(routes),
        upstreams=upstreams,
        keys=keys,
        targets={},
        breakers={},
    )


def worker(node: NodeMetrics) -> Metrics:
    region = Region.create()
    node.add(region)
    return Metrics(region=region)


def test_only_the_configuration_in_force_is_named() -> None:
    node = NodeMetrics()
    loaded(node, "aaaa", {"a"})
    loaded(node, "bbbb", {"a", "b"})
    found = shown(node)
    assert [name for name in found if name.startswith("gateway_config_info")] == [
        'gateway_config_info{file="gateway.yaml",hash="bbbb"}'
    ]
    assert (found["gateway_config_routes"], found["gateway_config_keys"]) == (2, 9)


def test_keys_that_are_in_redis_are_not_counted() -> None:
    node = NodeMetrics()
    loaded(node, "aaaa", {"a"}, keys=None)
    assert "gateway_config_keys" not in shown(node)


def test_the_program_names_itself() -> None:
    implementation, python = platform.python_implementation(), platform.python_version()
    labels = f'compiled="false",implementation="{implementation}",python="{python}",version="{__version__}"'
    assert shown(NodeMetrics())[f"gateway_build_info{{{labels}}}"] == 1


def test_deaths_of_workers_are_counted_from_nothing() -> None:
    found = shown(NodeMetrics())
    for reason in ("ended", "crashed", "killed", "stuck"):
        assert found[f'gateway_worker_restarts_total{{reason="{reason}"}}'] == 0


def test_one_scrape_is_the_sum_of_all_workers() -> None:
    node = NodeMetrics()
    for count in (3, 4):
        metrics = worker(node)
        metrics.requests.labels("a", "GET", 200, "upstream").inc(count)
        metrics.in_flight.inc(count)
    found = shown(node)
    assert found['gateway_requests_total{code="200",method="GET",route="a",source="upstream"}'] == 7
    assert found["gateway_requests_in_flight"] == 7


def test_what_an_ended_worker_counted_stays_and_what_it_had_does_not() -> None:
    node = NodeMetrics()
    first, second = worker(node), worker(node)
    for metrics in (first, second):
        metrics.requests.labels("a", "GET", 200, "upstream").inc()
        metrics.in_flight.inc()
        metrics.redis_up.labels().set(1)
    first.region.reopened().writer_exited()
    found = shown(node)
    assert found['gateway_requests_total{code="200",method="GET",route="a",source="upstream"}'] == 2
    assert (found["gateway_requests_in_flight"], found["gateway_redis_up"]) == (1, 1)
    successor = Metrics(region=first.region.reopened())
    successor.requests.labels("a", "GET", 200, "upstream").inc()
    successor.in_flight.inc(0)
    found = shown(node)
    assert found['gateway_requests_total{code="200",method="GET",route="a",source="upstream"}'] == 3
    assert (found["gateway_requests_in_flight"], found["gateway_redis_up"]) == (1, 1)


def test_series_of_what_is_no_longer_configured_disappear_and_come_back_whole() -> None:
    node = NodeMetrics()
    metrics = worker(node)
    loaded(node, "aaaa", {"a", "b"}, frozenset(("one", "two")))
    for route, upstream in (("a", "one"), ("b", "two"), ("-", "one")):
        metrics.requests.labels(route, "GET", 200, "upstream").inc()
        metrics.request_duration.labels(route).observe(0.1)
        metrics.upstream_duration.labels(upstream).observe(0.1)
    before = shown(node)
    loaded(node, "bbbb", {"a"}, frozenset(("one",)))
    metrics.requests.labels("b", "GET", 200, "upstream").inc()
    metrics.requests.labels("b", "POST", 200, "upstream").inc()
    fewer = shown(node)
    gone = {name for name in before if 'route="b"' in name or 'upstream="two"' in name}
    assert gone
    assert not any('route="b"' in name or 'upstream="two"' in name for name in fewer)
    assert before.keys() - fewer.keys() - gone == {'gateway_config_info{file="gateway.yaml",hash="aaaa"}'}
    loaded(node, "aaaa", {"a", "b"}, frozenset(("one", "two")))
    assert shown(node)['gateway_requests_total{code="200",method="GET",route="b",source="upstream"}'] == 2


def test_a_worker_that_is_no_more_has_no_lag() -> None:
    node = NodeMetrics()
    node.lag(0, 0.5)
    node.lag(1, 0.25)
    assert shown(node)['gateway_event_loop_lag_seconds{worker="1"}'] == 0.25
    node.lag(1, None)
    assert [name for name in shown(node) if "lag" in name] == ['gateway_event_loop_lag_seconds{worker="0"}']


def test_a_region_can_be_handed_to_another_program() -> None:
    region = Region.shared()
    Metrics(region=region).requests.labels("a", "GET", 200, "upstream").inc()
    assert region.fd is not None
    node = NodeMetrics()
    node.add(Region.opened(region.fd))
    assert shown(node)['gateway_requests_total{code="200",method="GET",route="a",source="upstream"}'] == 1


def test_targets_of_the_configuration_before_are_gone() -> None:
    node = NodeMetrics()
    for target, up in (("a:1", 1.0), ("b:1", 0.0)):
        targets: dict[tuple[str, ...], Callable[[], float]] = {("orders", target): partial(float, up)}
        node.config_loaded(
            file="f",
            digest="a",
            routes=frozenset(),
            upstreams=frozenset({"orders"}),
            keys=0,
            targets=targets,
            breakers={},
        )
    found = {name: value for name, value in shown(node).items() if name.startswith("gateway_upstream_target_up")}
    assert list(found.values()) == [0.0]
    assert "b:1" in next(iter(found))
