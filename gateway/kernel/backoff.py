"""The time to wait after a failure."""

_CHANCE = 0.2


def backoff_s(first_s: float, longest_s: float, times: float, chance: float) -> float:
    """Return the seconds to wait after `times` failures in a row, 1 or more.

    The wait doubles with each failure, and is shortened by up to a fifth by `chance`, from 0 up to 1, so that clients
    that saw the same failure do not return at the same instant.

    The chance keeps many who have seen the same failure from coming back in the same instant.
    """
    return min(first_s * 2 ** min(times - 1, 60), longest_s) * (1 - _CHANCE * chance)
