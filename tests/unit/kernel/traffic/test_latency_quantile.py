"""kernel/traffic/latency_quantile.py: the time within which a share of the calls is answered."""

import pytest

from gateway.kernel.traffic.latency_quantile import LatencyQuantile


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 0.050), (0.95, 0.095), (0.99, 0.099)])
def test_an_estimate_is_a_little_too_long_at_most(share: float, seconds: float) -> None:
    quantile = LatencyQuantile(share)
    for number in range(1000):
        quantile.add((number * 37 % 100 + 1) / 1000)
    assert quantile.seconds is not None
    assert seconds * 0.99 <= quantile.seconds <= seconds * 1.12


def test_nothing_is_estimated_of_a_few_times() -> None:
    quantile = LatencyQuantile(0.95)
    for _ in range(49):
        quantile.add(0.010)
    assert quantile.seconds is None
    quantile.add(0.010)
    assert quantile.seconds == pytest.approx(0.010, rel=0.1)


def test_what_was_long_ago_fades() -> None:
    quantile = LatencyQuantile(0.95)
    for seconds in [1.0] * 5000 + [0.010] * 20_000:
        quantile.add(seconds)
    assert quantile.seconds == pytest.approx(0.010, rel=0.1)


def test_no_time_is_too_short_or_too_long() -> None:
    quantile = LatencyQuantile(0.5)
    for seconds in [-1.0] * 10 + [1e9] * 40:
        quantile.add(seconds)
    assert quantile.seconds is not None
    assert 200 < quantile.seconds < 300
