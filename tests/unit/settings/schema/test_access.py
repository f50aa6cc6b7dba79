"""settings/schema/access.py: plans that are there without being declared, and what a key says at least."""

import pytest
from pydantic import ValidationError

from gateway.settings.schema.access import BUILT_IN_PLANS, KeySettings, KeyStoreSettings


def test_built_in_plans_allow_300_calls_a_minute() -> None:
    assert {plan.id: [(limit.max, limit.per) for limit in plan.limits] for plan in BUILT_IN_PLANS} == {
        "standard": [(300, 60.0)],
        "anonymous": [(300, 60.0)],
    }


def test_a_key_has_the_standard_plan_and_may_use_everything() -> None:
    key = KeySettings.model_validate({"id": "a", "secret_sha256": "0" * 64})
    assert (key.plan, key.routes, key.methods, key.disabled) == ("standard", None, None, False)


def test_keys_are_stored_in_redis_only() -> None:
    assert KeyStoreSettings.model_validate({"store": "redis"}).store == "redis"
    with pytest.raises(ValidationError):
        KeyStoreSettings.model_validate({"store": "files"})
