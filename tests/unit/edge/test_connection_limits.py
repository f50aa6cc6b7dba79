import resource

import pytest

from gateway.edge.connection_limits import bounds, raise_descriptors, shares
from gateway.settings.schema.server import ListenerSettings
from gateway.settings.schema.upstreams import UpstreamSettings


@pytest.mark.parametrize(
    ("wanted", "descriptors", "upstream", "found"),
    [
        pytest.param([None], 1024, 256, [640], id="what is left"),
        pytest.param([None, None], 1024, 256, [288, 288], id="what is left, shared"),
        pytest.param([100, None], 1024, 256, [100, 476], id="as many as wanted, and the rest"),
        pytest.param([100], 1024, 256, [100], id="as many as wanted"),
        pytest.param([5000, 10, None], 1024, 256, [170, 10, 170], id="more than there are"),
        pytest.param([None], 1024, 5000, [448], id="services do not get all"),
        pytest.param([None], 16, 0, [1], id="one at least"),
    ],
)
def test_descriptors_are_shared(wanted: list[int | None], descriptors: int, upstream: int, found: list[int]) -> None:
    assert shares(wanted, descriptors, upstream) == found


def test_an_upstream_takes_its_part() -> None:
    upstream = UpstreamSettings.model_validate(
        {
            "id": "a",
            "targets": [{"url": "http://127.0.0.1:1"}, {"url": "http://127.0.0.1:2"}],
            "connections": {"max": 100},
        }
    )
    one, two = ListenerSettings.model_validate({"limits": {"connections": 7}}), ListenerSettings.model_validate({})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert bounds([one, two], [upstream]) == shares([7, None], hard, 200)


def test_a_process_takes_what_it_may_have() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        assert raise_descriptors() == hard == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_goes_on_with_the_limit_that_it_cannot_raise() -> None:
    asked: list[tuple[int, int]] = []

    def reject(_: int, limits: tuple[int, int]) -> None:
        asked.append(limits)
        raise ValueError

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raise_descriptors(reject) == soft
    assert asked == [(hard, hard)]
