from gateway.observe.metrics import Metrics
from gateway.observe.node_metrics import NodeMetrics
from gateway.observe.shared_memory import Region
from gateway.supervisor.metric_regions import MetricRegions


def count_in(region: Region, route: str) -> None:
    metrics = Metrics(region=region)
    metrics.requests.labels(route, "GET", 200, "upstream").inc()
    metrics.refresh()


def is_shown(node: NodeMetrics, route: str) -> bool:
    return f'route="{route}"'.encode() in b"".join(node.pieces()[0])


def test_a_region_is_used_again_and_its_counts_stay() -> None:
    node = NodeMetrics(Region.shared())
    regions = MetricRegions(node)
    region = regions.take()
    count_in(region, "a")
    assert regions.unused == []
    regions.give_back(region)
    assert regions.unused == [region]
    assert regions.take() is region
    assert regions.take() is not region
    assert is_shown(node, "a")


def test_foreign_regions_are_shown_and_available_after_their_workers_have_ended() -> None:
    node, foreign = NodeMetrics(Region.shared()), Region.shared()
    count_in(foreign, "b")
    regions = MetricRegions(node)
    regions.add_foreign([foreign])
    assert is_shown(node, "b")
    assert regions.take() is not foreign
    regions.adopt_foreign()
    assert regions.take() is foreign
    assert regions.unused == []
