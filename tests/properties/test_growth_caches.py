"""What a cache reads of replies and requests costs time linear in its bytes."""

import pytest

from gateway.kernel.caching.directives import Directives
from gateway.kernel.caching.storage import CacheRules, freshness_of, unmodified
from tests.growth import Work, check_growth
from tests.untrusted import HEAD_BYTES, LARGE, UNITS, fill, shown


@pytest.mark.parametrize("unit", UNITS, ids=shown)
def test_what_a_cache_reads(unit: bytes) -> None:
    rules = CacheRules(None, LARGE, (), "public", 0.0, 0.0)
    names = (b"cache-control", b"vary", b"expires", b"date", b"age", b"cache-tag", b"surrogate-control")

    def read(size: int) -> Work:
        value = fill(unit, size)
        text = value.decode("latin-1")
        fields = [(name, value) for name in names]

        def work() -> None:
            freshness_of(200, fields, rules, 0.0)
            Directives.of(text)
            unmodified(text, text, '"a"', text)

        return work

    check_growth(read, 2 * HEAD_BYTES)
