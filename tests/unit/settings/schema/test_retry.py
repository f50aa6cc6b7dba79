"""settings/schema/retry.py: when calls are sent again."""

import pytest
from pydantic import ValidationError

from gateway.settings.schema.retry import HedgeSettings, RetryOverrides, RetrySettings


def test_the_example_of_the_manual() -> None:
    retry = RetrySettings.model_validate(
        {
            "attempts": 2,
            "on": ["connection_refused", "503", 502],
            "per_try": "3s",
            "budget": "12.5%",
            "methods": ["GET"],
        }
    )
    assert (retry.on, retry.methods) == (("connection_refused", "503", "502"), ("GET",))
    assert retry.model_dump(mode="json") == {
        "attempts": 2,
        "on": ["connection_refused", "503", "502"],
        "methods": ["GET"],
        "per_try": "3s",
        "budget": "12.5%",
        "backoff": "25ms",
    }


def test_idempotent_methods_are_the_default() -> None:
    methods = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT")
    assert RetrySettings().methods == RetrySettings.model_validate({"methods": "idempotent"}).methods == methods


@pytest.mark.parametrize(
    "wrong",
    [
        *({"on": [value]} for value in ("connection_refsed", 200, "6000", "abc", True, 4.5)),
        {"on": []},
        *({"methods": value} for value in ("all", [], ["POST"], ["GET", "PATCH"], 3)),
        *({"budget": value} for value in (20, "20", "200%", "x%", "1s%", True)),
        {"attempts": 0},
    ],
)
def test_what_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RetrySettings.model_validate(wrong)


def test_a_route_has_the_rest_from_its_upstream() -> None:
    own = RetryOverrides.model_validate({"attempts": 1, "per_try": "3s"})
    assert own.over(None) == RetrySettings.model_validate({"attempts": 1, "per_try": "3s"})
    inherited = RetrySettings.model_validate({"attempts": 4, "budget": "1%"})
    assert own.over(inherited).model_dump(mode="json", include={"attempts", "per_try", "budget"}) == {
        "attempts": 1,
        "per_try": "3s",
        "budget": "1%",
    }


@pytest.mark.parametrize(
    ("after", "seconds", "quantile"),
    [("p95", None, 0.95), ("p50", None, 0.5), ("200ms", 0.2, 0.95), ("1.5s", 1.5, 0.95)],
)
def test_a_second_attempt_is_made_after_a_while(after: str, seconds: float | None, quantile: float) -> None:
    hedge = HedgeSettings.model_validate({"after": after})
    assert (hedge.after_s, hedge.quantile, hedge.methods, hedge.budget) == (seconds, quantile, ("GET",), 0.05)
    assert HedgeSettings.model_validate(hedge.model_dump(mode="json")) == hedge


@pytest.mark.parametrize("after", ["p49", "p100", "p", "p9.5", "0s", "soon", 95, True])
def test_no_other_delay_is_taken(after: object) -> None:
    with pytest.raises(ValidationError):
        HedgeSettings.model_validate({"after": after})
