"""settings/schema/maintenance.py: what callers are told meanwhile."""

import pytest
from pydantic import ValidationError

from gateway.settings.schema.maintenance import DEFAULT_MESSAGE, MaintenanceSettings


def test_nothing_needs_to_be_said() -> None:
    assert MaintenanceSettings.model_validate({}).message == DEFAULT_MESSAGE


@pytest.mark.parametrize(
    "wrong", [{"message": ""}, {"message": "x" * 257}, {"until": "tomorrow"}, {"retry_after": "0s"}]
)
def test_what_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MaintenanceSettings.model_validate(wrong)
