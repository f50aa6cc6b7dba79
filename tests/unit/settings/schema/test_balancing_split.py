"""settings/schema/balancing.py: several upstreams for the same calls."""

import pytest

from gateway.settings.json_schema import json_schema
from gateway.settings.schema.balancing import MirrorSettings, with_first_of_split
from gateway.settings.schema.values import RefusedError


def test_the_first_upstream_stands_for_all() -> None:
    split = [{"upstream": "v1", "weight": 9}, {"upstream": "v2"}]
    assert with_first_of_split({"id": "r", "split": split}) == {"id": "r", "split": split, "upstream": "v1"}


@pytest.mark.parametrize(
    "written", [{"upstream": "u"}, {"split": []}, {"split": "v1"}, {"split": [3]}, {"split": [{}]}, 7]
)
def test_what_is_left_as_it_is(written: object) -> None:
    assert with_first_of_split(written) == written


def test_either_split_or_upstream() -> None:
    with pytest.raises(RefusedError):
        with_first_of_split({"upstream": "u", "split": [{"upstream": "v1"}]})
    schema = json_schema()["$defs"]["RouteSettings"]
    assert schema["anyOf"] == [{"required": ["upstream"]}, {"required": ["split"]}]
    assert "upstream" not in schema["required"]


def test_all_calls_are_copied_unless_a_share_is_given() -> None:
    assert MirrorSettings.model_validate({"upstream": "v2"}).share == 1.0
