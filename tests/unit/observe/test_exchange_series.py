"""observe/exchange_series.py: an exchange counts in all of its series, wherever they are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.observe.exchange_series import ExchangeSeries, Observation, UpstreamSeries, exchange_series
from gateway.observe.metrics import Metrics
from gateway.observe.shared_memory import Region
from tests.scrape import scraped


def counted(metrics: Metrics, **changes: bool) -> ExchangeSeries:
    """Series of a call that the service has answered with an error, in which one exchange was counted."""
    upstream = UpstreamSeries.of(metrics, "a", 503, "upstream_incomplete")
    counters = [metrics.requests.labels("r", "GET", 503, "upstream")]
    about = ("r", (503, 1004, "upstream", "upstream_incomplete"), ("a", "10.0.0.1:80"))
    limiter = metrics.limiter_duration.labels("local")
    series = exchange_series(metrics, about, counters, limiter, upstream, **{"answered": True, **changes})
    series.count(0.5, 0.25, 0.125, 0.0625, 7, 5)
    return series


def test_an_exchange_counts_in_all_of_its_series() -> None:
    metrics = Metrics()
    series = counted(metrics)
    shown = scraped(metrics).decode().splitlines()
    assert (series.failed, series.decided, series.slots) == (True, True, metrics.region.slots)
    for line in (
        'gateway_requests_total{code="503",method="GET",route="r",source="upstream"} 1.0',
        'gateway_request_duration_seconds_bucket{le="0.25",route="r"} 0.0',
        'gateway_request_duration_seconds_bucket{le="0.5",route="r"} 1.0',
        'gateway_request_duration_seconds_sum{route="r"} 0.5',
        'gateway_overhead_seconds_sum{route="r"} 0.25',
        'gateway_upstream_duration_seconds_sum{upstream="a"} 0.125',
        'gateway_limiter_duration_seconds_sum{store="local"} 0.0625',
        'gateway_upstream_requests_total{code="503",upstream="a"} 1.0',
        'gateway_upstream_errors_total{reason="upstream_incomplete",upstream="a"} 1.0',
        'gateway_request_bytes_total{route="r"} 7.0',
        'gateway_response_bytes_total{route="r"} 5.0',
    ):
        assert line in shown


def test_nothing_is_measured_that_was_not_there() -> None:
    metrics = Metrics()
    counters = [metrics.requests.labels("r", "GET", 499, "gateway")]
    series = exchange_series(metrics, ("r", (499, None, "gateway", ""), None), counters, None, None, answered=False)
    series.count(0.5, 0.25, 0.0, 0.0, 0, 0)
    assert metrics.request_duration.labels("r").count == 1
    assert metrics.overhead.labels("r").count == 0
    assert metrics.response_bytes.labels("r").value == 0


def test_a_call_without_a_client_counts_for_its_upstream() -> None:
    metrics = Metrics()
    UpstreamSeries.of(metrics, "a", 200, None).count(0.5)
    assert metrics.upstream_duration.labels("a").count == 1
    assert metrics.upstream_requests.labels("a", 200).value == 1


def test_series_that_a_full_region_has_no_room_for_do_not_harm_those_that_it_has() -> None:
    declared = Metrics()
    used = int(declared.region.slots[1])
    width = declared.request_duration.declaration.width
    metrics = Metrics(region=Region.create(used + width))
    duration = metrics.request_duration.labels("r")  # takes all that is left
    series = counted(metrics)
    assert series.slots is not metrics.region.slots
    assert duration.count == 1
    assert metrics.overhead.labels("r").count == 1
    assert metrics.requests.labels("r", "GET", 503, "upstream").value == 1
    assert sum(metrics.region.snapshot()[used:]) == 1.5  # one exchange, and its duration


FRACTIONS = st.integers(0, 12 * 2**14).map(lambda number: number / 2**14)
"""Seconds whose sums are exact in any order."""
DURATIONS = FRACTIONS | st.sampled_from([0.0, 0.00005, 0.005, 0.01, 0.025, 10.0])
OBSERVATIONS = st.tuples(DURATIONS, DURATIONS, DURATIONS, DURATIONS, st.integers(0, 9), st.integers(0, 9))


@settings(deadline=None, max_examples=40)
@given(observations=st.lists(OBSERVATIONS, max_size=12), called=st.booleans(), answered=st.booleans())
def test_several_at_once_are_counted_as_one_by_one(
    *, observations: list[Observation], called: bool, answered: bool
) -> None:
    found: list[list[float]] = []
    for at_once in (True, False):
        metrics = Metrics()
        counters = [metrics.requests.labels("r", "GET", 200, "upstream")]
        upstream = UpstreamSeries.of(metrics, "a", 200, None) if called else None
        limiter = metrics.limiter_duration.labels("local") if called else None
        about = ("r", (200, 0, "upstream", ""), None)
        series = exchange_series(metrics, about, counters, limiter, upstream, answered=answered)
        if at_once:
            series.uncounted += observations
            series.count_all()
            assert series.uncounted == []
        else:
            for observation in observations:
                series.count(*observation)
        found.append(metrics.region.snapshot())
    assert found[0] == pytest.approx(found[1], rel=1e-12)
