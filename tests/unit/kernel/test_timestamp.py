from datetime import datetime

import pytest

from gateway.kernel.timestamp import Timestamp


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1466799009.25, "2016-06-24T20:10:09.250Z"),
        (1466799009.9996, "2016-06-24T20:10:09.999Z"),
        (1709164799.5, "2024-02-28T23:59:59.500Z"),
    ],
)
def test_it_spells_utc_to_the_millisecond(wall: float, text: str) -> None:
    timestamp = Timestamp()
    assert timestamp(wall) == text
    assert timestamp(wall) == text
    assert datetime.fromisoformat(text).timestamp() == pytest.approx(wall, abs=0.001)


def test_it_follows_a_clock_that_is_set_back() -> None:
    timestamp = Timestamp()
    assert timestamp(100.001) == "1970-01-01T00:01:40.001Z"
    assert timestamp(100.002) == "1970-01-01T00:01:40.002Z"
    assert timestamp(99.5) == "1970-01-01T00:01:39.500Z"
