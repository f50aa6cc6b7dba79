"""upstream/http1/connection_age.py: the greatest ages of connections."""

import math
from itertools import pairwise

from gateway.upstream.http1.connection_socket import SPREAD, ConnectionAges


def test_none_is_older_than_allowed_and_they_do_not_end_together() -> None:
    ages = ConnectionAges(300.0)
    ends = sorted(ages.ends_at(1000.0) for _ in range(100))
    assert 1300 - 300 * SPREAD <= ends[0] < ends[-1] <= 1300
    assert max(later - earlier for earlier, later in pairwise(ends)) < 300 * SPREAD / 30


def test_it_may_be_for_ever() -> None:
    assert ConnectionAges(math.inf).ends_at(5.0) == math.inf
