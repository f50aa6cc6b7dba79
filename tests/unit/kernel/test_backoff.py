import pytest

from gateway.kernel.backoff import backoff_s


@pytest.mark.parametrize(
    ("times", "chance", "expected"),
    [(1, 0.0, 10.0), (2, 0.0, 20.0), (3, 0.5, 36.0), (6, 0.0, 300.0), (5000, 0.0, 300.0), (1, 1.0, 8.0)],
)
def test_it_doubles_up_to_a_limit_and_chance_takes_a_fifth_at_most(times: int, chance: float, expected: float) -> None:
    assert backoff_s(10.0, 300.0, times, chance) == pytest.approx(expected)
