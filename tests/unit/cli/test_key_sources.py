"""cli/key_sources.py: entries of three formats, with their lines."""

import pytest

from gateway.cli.key_sources import Entry, entries, form_of

A = {"id": "a", "secret_sha256": "1" * 63 + "a", "organizations": ["acme", "initech"], "disabled": True}
YAML = f"""\
# from elsewhere
keys:
  - id: a
    secret_sha256: {"1" * 63}a
    organizations: [acme, initech]
    disabled: true
  - {{id: "2", expires: 2030-01-01T00:00:00Z, limits: [{{id: minute, max: 5, per: 1m}}]}}
  - nothing
"""
JSON = f'{{"id": "a", "secret_sha256": "{"1" * 63}a", "organizations": ["acme", "initech"], "disabled": true}}\n\n[]\n{{\n'
CSV = f'id, secret_sha256, organizations, plan, disabled\na,{"1" * 63}a,"acme; initech",,TRUE\nb,,acme,gold,false\nc,d\n'


def test_yaml_is_read_as_in_the_configuration() -> None:
    assert list(entries(YAML, "yaml")) == [
        Entry(3, A),
        Entry(7, {"id": "2", "expires": "2030-01-01T00:00:00Z", "limits": [{"id": "minute", "max": 5, "per": "1m"}]}),
        Entry(8, {}, "a mapping is wanted here"),
    ]
    assert list(entries("- {id: a}\n", "yaml")) == [Entry(1, {"id": "a"})]


@pytest.mark.parametrize("text", ["", "plans: []", "keys: {store: redis}", "5"])
def test_yaml_without_a_list_of_keys_is_told(text: str) -> None:
    assert list(entries(text, "yaml")) == [Entry(1, {}, "a list of keys is wanted, alone or under `keys:`")]


def test_text_that_is_none_is_told_with_its_line() -> None:
    (entry,) = entries("keys:\n- {id: a\n", "yaml")
    assert (entry.line, entry.problem[:8]) == (3, "not YAML")
    (entry,) = entries("keys: \x00", "yaml")
    assert (entry.line, entry.problem[:8]) == (1, "not YAML")


def test_json_has_an_entry_a_line() -> None:
    assert list(entries(JSON, "jsonl")) == [Entry(1, A), Entry(3, {}, "an object is wanted here"), Entry(4, {}, "not JSON")]


def test_csv_has_the_names_in_its_first_line() -> None:
    assert list(entries(CSV, "csv")) == [
        Entry(2, A),
        Entry(3, {"id": "b", "organizations": ["acme"], "plan": "gold", "disabled": False}),
        Entry(4, {}, "5 fields are wanted here"),
    ]
    (entry,) = entries('id\n"a"b\n', "csv")
    assert entry.problem.startswith("not CSV")


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("keys.yml", "{", "yaml"),
        ("keys.CSV", "{", "csv"),
        ("keys.ndjson", "", "jsonl"),
        ("-", ' {"id": "a"}', "jsonl"),
        ("-", "name,id\n", "csv"),
        ("-", "keys: [{a: 1, id: 2}]", "yaml"),
        ("keys", "- id: a", "yaml"),
    ],
)
def test_the_format_is_known_by_name_or_by_content(name: str, text: str, form: str) -> None:
    assert form_of(name, text) == form
