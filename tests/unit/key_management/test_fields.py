"""key_management/fields.py: all that is wrong with a key is said at once."""

import pytest

from gateway.key_management.fields import check_key, merged, with_members
from gateway.key_management.registry_access import KeyChangeError
from gateway.settings import parse
from tests.unit.cli.stored import PREAMBLE

CONFIG = parse(PREAMBLE + "redis: {url: 'redis://h'}\nkeys: {store: redis}\n", environ={})


def problems(key: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(KeyChangeError) as refused:
        check_key(CONFIG, key)
    assert refused.value.reason == "invalid"
    return refused.value.problems


def test_a_valid_key_passes() -> None:
    check_key(CONFIG, {"id": "a", "plan": "gold", "routes": ["orders.*"], "organizations": ["acme"]})


def test_every_problem_is_said() -> None:
    found = problems({"id": "-", "plan": 7, "routs": []})
    assert [each.partition(":")[0] for each in found] == ["id", "plan", "routs"]
    found = problems({"id": "a", "plan": "silver", "organizations": ["other"], "routes": ["nothing"]})
    assert [text in each for text, each in zip(("silver", "other", "nothing"), found, strict=True)] == [True] * 3


def test_a_key_has_a_bounded_size() -> None:
    (problem,) = problems({"id": "a", "routes": ["orders.all", *["orders.*" + "x" * 100] * 400]})[-1:]
    assert problem == "its text is longer than 31744 bytes"


def test_an_id_in_a_file_is_taken() -> None:
    config = parse(PREAMBLE + f"keys: [{{id: a, secret_sha256: {'a' * 64}}}]\n")
    with pytest.raises(KeyChangeError, match="`a` is the id of another one"):
        check_key(config, {"id": "a"})


def test_a_patch_takes_the_place_of_fields() -> None:
    assert merged({"id": "a", "plan": "gold", "expires": "x"}, {"plan": "b", "expires": None, "routes": ["c"]}) == {
        "id": "a",
        "plan": "b",
        "routes": ["c"],
    }
    with pytest.raises(KeyChangeError) as refused:
        merged({"id": "a"}, {"secret_sha256": "b", "id": "c"})
    assert refused.value.problems == ("id: it cannot be changed", "secret_sha256: it cannot be changed")


def test_members_are_added_and_removed() -> None:
    key = {"id": "a", "routes": ["x", "y"], "plan": "gold"}
    changed = with_members(key, {"route": ("y", "z"), "allow": ("10.0.0.0/8",)}, {"route": ("x",)})
    assert changed == {"id": "a", "routes": ["y", "z"], "plan": "gold", "allow": ["10.0.0.0/8"]}
    assert with_members(changed, {}, {"allow": ("10.0.0.0/8",)}) == {"id": "a", "routes": ["y", "z"], "plan": "gold"}


@pytest.mark.parametrize(
    ("added", "removed", "problem"),
    [
        ({"method": ("GET",)}, {}, "--add-method: the key may use every method already"),
        ({}, {"route": ("x",)}, "--remove-route: the key would be left without any; disable or delete it instead"),
        ({}, {"route": ("y",)}, "--remove-route y: the key has x"),
        ({}, {"method": ("GET",)}, "--remove-method GET: the key has all, which is no list"),
        ({}, {"deny": ("::1",)}, "--remove-deny ::1: the key has none"),
    ],
)
def test_what_makes_no_sense_is_refused(
    added: dict[str, tuple[str, ...]], removed: dict[str, tuple[str, ...]], problem: str
) -> None:
    with pytest.raises(KeyChangeError) as refused:
        with_members({"id": "a", "routes": ["x"]}, added, removed)
    assert problem in refused.value.problems
