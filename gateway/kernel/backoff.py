"""The time to wait after a failure."""

_CHANCE = 0.2


def backoff_s(first_s: float, longest_s: float, times: float, chance: float) -> float:
    """After failing `times` times in a row, 1 or more: twice as long each time, and up to a fifth less by `chance`,
    from 0 up to 1.

    The chance keeps many who have seen the same failure from coming back in the same instant.
    """
    return min(first_s * 2 ** min(times - 1, 60), longest_s) * (1 - _CHANCE * chance)
