"""settings/schema/upstreams.py: upstreams, their time-outs, TLS and failure detection."""

import pytest
from pydantic import ValidationError

from gateway.settings.schema.types import Section
from gateway.settings.schema.upstreams import (
    AdaptiveConcurrencySettings,
    CircuitBreakerSettings,
    OutlierDetection,
    Timeouts,
    UpstreamTls,
)


def test_streams_may_be_silent_for_a_minute_and_events_for_ten_unless_a_file_says_otherwise() -> None:
    assert (Timeouts().idle_s, Timeouts().events_idle_s) == (60, 600)
    set_by_file = Timeouts.model_validate({"idle": "5s"})
    assert (set_by_file.idle_s, set_by_file.events_idle_s) == (5, 5)


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        (UpstreamTls, {"private_key": "key.pem"}),
        (UpstreamTls, {"ca": "ca.pem", "verify": False}),
        (OutlierDetection, {"base_ejection_time": "10m"}),
        (CircuitBreakerSettings, {"base_open_time": "10m"}),
        (AdaptiveConcurrencySettings, {"min": 10, "max": 9}),
    ],
)
def test_sections_that_contradict_themselves(section: type[Section], wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        section.model_validate(wrong)


@pytest.mark.parametrize(
    "section", [UpstreamTls, OutlierDetection, CircuitBreakerSettings, AdaptiveConcurrencySettings]
)
def test_defaults_are_sound(section: type[Section]) -> None:
    assert section.model_validate({}).model_fields_set == set()
