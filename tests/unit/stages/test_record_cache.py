"""stages/record.py: what is recorded of the part that a cache took."""

import pytest

from gateway.exchange import CacheUse
from tests.samples import route
from tests.unit.stages.recording import Recording, served

HIT = CacheUse("hit", 3.2)


@pytest.mark.parametrize(
    ("before", "use", "fields"),
    [
        (None, HIT, ("hit", 3)),
        (HIT, CacheUse("hit", 5.9), ("hit", 5)),
        (HIT, CacheUse("miss"), ("miss", 0)),
        (HIT, None, (None, None)),
        (None, None, (None, None)),
    ],
)
def test_exchanges_that_are_alike_share_a_record_and_not_what_the_cache_did(
    before: CacheUse | None, use: CacheUse | None, fields: tuple[str | None, int | None]
) -> None:
    recording, taken = Recording(), route()
    first, second = served(cache=before), served(cache=use)
    first.route = second.route = taken
    recording.recorder.begin()
    recording.recorder.record(first, 0.010)
    line = recording.record(second)
    assert (line.get("gateway.cache.result"), line.get("gateway.cache.age_s")) == fields
    hits = [each for each in (before, use) if each is not None and each.result == "hit"]
    assert recording.value("gateway_cache_requests_total", result="hit") == len(hits)
