"""stages/record.py: what is recorded of the parts that a cache and a content coding took."""

import pytest

from gateway.exchange import CacheUse, Coded
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


def test_what_nothing_was_decided_about_may_be_compressed() -> None:
    recording, x = Recording(), served(coded=Coded("br", 25, 5))
    x.decision = None
    assert recording.record(x)["gateway.compression.saved_bytes"] == 20
    assert recording.value("gateway_limiter_decisions_total") == 0
