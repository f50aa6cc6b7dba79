"""See `gateway.kernel.copies`."""

import msgspec

from gateway.kernel.copies import replace


class Pair(msgspec.Struct, frozen=True):
    """Two values."""

    left: int
    right: int = 2


def test_what_is_not_named_stays() -> None:
    pair = Pair(1)
    assert replace(pair, left=5) == Pair(5, 2)
    assert replace(pair) == pair
    assert replace(pair) is not pair
    assert pair == Pair(1, 2)
