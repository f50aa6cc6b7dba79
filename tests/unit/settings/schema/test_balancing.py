"""settings/schema/balancing.py: which target gets a call."""

import pytest
from pydantic import ValidationError

from gateway.settings.schema.balancing import ConsistentHash, LoadBalancing, spelled_out


def test_a_word_is_short_for_a_section() -> None:
    assert spelled_out("round_robin") == {"policy": "round_robin"}
    assert spelled_out({"slow_start": "30s"}) == {"slow_start": "30s"}


@pytest.mark.parametrize("on", [{"on": "key"}, {"on": "header", "name": "X-Session"}])
def test_calls_are_kept_together(on: dict[str, object]) -> None:
    assert LoadBalancing.model_validate({"consistent_hash": on}).consistent_hash == ConsistentHash.model_validate(on)


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": "random"},
        {"policy": "round_robin", "consistent_hash": {"on": "key"}},
        {"slow_start": "30s", "consistent_hash": {"on": "key"}},
        {"consistent_hash": {"on": "header"}},
        {"consistent_hash": {"on": "key", "name": "X"}},
        {"consistent_hash": {}},
    ],
)
def test_what_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LoadBalancing.model_validate(wrong)
