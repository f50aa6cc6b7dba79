"""cli/keys/import_sources.py: entries of three formats, with their lines."""

import csv

import pytest

from gateway.cli.keys.import_sources import ImportEntry, entries, form_of

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
JSON = (
    f'{{"id": "a", "secret_sha256": "{"1" * 63}a", "organizations": ["acme", "initech"], "disabled": true}}\n\n[]\n{{\n'
)
CSV = (
    f'id, secret_sha256, organizations, plan, disabled\na,{"1" * 63}a,"acme; initech",,TRUE\nb,,acme,gold,false\nc,d\n'
)


def test_yaml_is_read_as_in_the_configuration() -> None:
    assert list(entries(YAML, "yaml")) == [
        ImportEntry(3, A),
        ImportEntry(
            7, {"id": "2", "expires": "2030-01-01T00:00:00Z", "limits": [{"id": "minute", "max": 5, "per": "1m"}]}
        ),
        ImportEntry(8, {}, "a mapping is wanted here"),
    ]
    assert list(entries("- {id: a}\n", "yaml")) == [ImportEntry(1, {"id": "a"})]


@pytest.mark.parametrize("text", ["", "plans: []", "keys: {store: redis}", "5"])
def test_yaml_without_a_list_of_keys_is_reported(text: str) -> None:
    assert list(entries(text, "yaml")) == [
        ImportEntry(1, {}, "a list of keys is wanted, alone or under `keys:`; --format says which format it is")
    ]


def test_yaml_keeps_dollar_signs_and_takes_aliases() -> None:
    text = "of: &of {organizations: [acme]}\nkeys:\n- {<<: *of, id: a, secret: 'a$$b${c}'}\n"
    assert list(entries(text, "yaml")) == [ImportEntry(3, {"organizations": ["acme"], "id": "a", "secret": "a$$b${c}"})]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("yaml", "keys:\n- {id: a, id: b}\n"),
        ("jsonl", '\n{"id": "a", "id": "b"}\n'),
        ("jsonl", '\n{"id": "a", "limits": [{"max": 1, "max": 2}]}\n'),
        ("csv", "id, id\na,b\n"),
    ],
)
def test_a_duplicate_field_is_reported(form: str, text: str) -> None:
    problems = [entry for entry in entries(text, form) if entry.problem]
    assert [(entry.line, "twice" in entry.problem) for entry in problems] == [(1 if form == "csv" else 2, True)]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("yaml", "keys:\n- {id: a, organizations: &a [*a]}\n"),
        ("yaml", "keys:\n- " + "[" * 5000 + "]" * 5000),
        (
            "yaml",
            "a0: &a0 [x]\n"
            + "".join(f"a{at}: &a{at} [{','.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 12))
            + "keys: [*a11]\n",
        ),
        ("jsonl", "[" * 200_000),
    ],
    ids=["in itself", "deep", "many", "deep JSON"],
)
def test_what_would_have_no_end_is_a_problem_as_any_other(form: str, text: str) -> None:
    assert any(entry.problem for entry in entries(text, form))


def test_malformed_csv_is_reported_with_its_line() -> None:
    (entry,) = entries("keys:\n- {id: a\n", "yaml")
    assert (entry.line, entry.problem[:8]) == (3, "not YAML")
    (entry,) = entries("keys: \x00", "yaml")
    assert (entry.line, entry.problem[:14]) == (1, "this character")


def test_json_has_an_entry_a_line() -> None:
    assert list(entries(JSON, "jsonl")) == [
        ImportEntry(1, A),
        ImportEntry(3, {}, "an object is wanted here"),
        ImportEntry(4, {}, "not JSON; --format says which format it is"),
    ]


def test_csv_has_the_names_in_its_first_line() -> None:
    assert list(entries(CSV, "csv")) == [
        ImportEntry(2, A),
        ImportEntry(3, {"id": "b", "organizations": ["acme"], "plan": "gold", "disabled": False}),
        ImportEntry(4, {}, "5 fields are wanted here"),
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


PRETTY = """{
  "version": 1,
  "keys": [
    {
      "id": "a\\ud83d\\ude00",
\t"organizations": ["acme"]
    },
    7,
    {"id": "b"}
  ]
}
"""


def test_json_over_several_lines() -> None:
    wanted = [
        ImportEntry(4, {"id": "a\U0001f600", "organizations": ["acme"]}),
        ImportEntry(8, {}, "an object is wanted here"),
        ImportEntry(9, {"id": "b"}),
    ]
    assert list(entries(PRETTY, "json")) == wanted
    assert list(entries('[\n{"id": "b"}\n]', "json")) == [ImportEntry(2, {"id": "b"})]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("{}", 1, "a list of keys is wanted"),
        ('{"plans": []}', 1, "a list of keys is wanted"),
        ("", 1, "a list of keys is wanted"),
        ('{"keys": [\n{"id": "a"}\n{"id": "b"}]}', 3, "not JSON"),
        ('{"keys": [\n{"id": }]}', 2, "not JSON"),
        ('[\n{"id": "a", "id": "b"}]', 2, "twice"),
    ],
)
def test_malformed_json_is_reported_with_its_line(text: str, line: int, message: str) -> None:
    last = list(entries(text, "json"))[-1]
    assert (last.line, message in last.problem) == (line, True)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (PRETTY, "json"),
        ('[\n  {"id": "a"}\n]', "json"),
        ('{"keys": [{"id": "a"}]}', "json"),
        ('{"id": "a"}\n{"id": "b"}', "jsonl"),
        ('"id","secret"\n"a","b"\n', "csv"),
        ("id;secret;organizations\na;b;acme\n", "csv"),
        ("ID\tSecret\na\tb\n", "csv"),
        ("id: a, b\n", "yaml"),
        ("- {id: a, plan: b}\n", "yaml"),
        ('"', "yaml"),
    ],
)
def test_a_format_is_known_by_how_it_begins(text: str, form: str) -> None:
    assert form_of("-", text) == form


@pytest.mark.parametrize(
    "text",
    [
        '"id","organizations"\n"a","acme"\n',
        "id;organizations\na;acme\n",
        "ID,Organizations\na,acme\n",
        "\nId\tOrganizations\na\tacme\n",
    ],
)
def test_csv_as_spreadsheets_write_it(text: str) -> None:
    (entry,) = entries(text, "csv")
    assert entry.fields == {"id": "a", "organizations": ["acme"]}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("id|plan\na|b\n", [2]),
        (" ID , Plan \na , b \n", [2]),
        ("sep=;\r\nid;plan\r\na;b\r\n", [3]),
        ("id,plan,,\na,b,,\n", [2]),
        ("\n\nid\tplan\n\na\tb\n", [5]),
        ('"Id","Organizations"\n"a","c\nd"\n', [3]),
    ],
)
def test_csv_as_programs_export_it(text: str, lines: list[int]) -> None:
    assert form_of("-", text) == "csv"
    found = list(entries(text, "csv"))
    assert [(entry.line, entry.fields["id"], entry.problem) for entry in found] == [(line, "a", "") for line in lines]
    assert found[0].fields in ({"id": "a", "plan": "b"}, {"id": "a", "organizations": ["c", "d"]})


def test_blanks_in_a_secret_stay_and_columns_without_a_name_are_empty() -> None:
    assert list(entries('id,secret\na,"b "\n', "csv")) == [ImportEntry(2, {"id": "a", "secret": "b "})]
    assert list(entries("id,,\na,b,\n", "csv")) == [ImportEntry(2, {}, "3 fields are wanted here")]


def test_json_entries_one_after_another() -> None:
    """As jq writes them."""
    text = '{\n  "id": "a"\n}\n{\n  "id": "b"\n}\n'
    assert form_of("-", text) == "json"
    assert list(entries(text, "json")) == [ImportEntry(1, {"id": "a"}), ImportEntry(4, {"id": "b"})]


@pytest.mark.parametrize(
    "text",
    [
        '[{"id": "a"}] [{"id": "b"}]',
        '[{"id": "a"}',
        '{"keys": [{"id": "a"}], "more": 1',
        '{"keys": [{"id": "a"}]} {"keys": []}',
        '[{"id": "a"}]]',
    ],
)
def test_no_key_is_lost_behind_a_list(text: str) -> None:
    found = list(entries(text, "json"))
    assert [entry.fields for entry in found] == [{"id": "a"}, {}]
    assert found[1].problem == "not JSON; --format says which format it is"


def test_what_stands_behind_a_list_in_its_object_is_of_no_interest() -> None:
    assert list(entries('{"total": 1, "keys": [{"id": "a"}], "next": null}', "json")) == [ImportEntry(1, {"id": "a"})]


@pytest.mark.parametrize(
    "text", ["[[keys]]\nid = 'a'\n", "{id: a}", '["a"', "x: [", '{"id": 1}}', "insert into keys values ('a')"]
)
def test_what_is_not_recognised_is_reported_how_to_be_named(text: str) -> None:
    problems = [entry.problem for entry in entries(text, form_of("-", text))]
    assert any("--format says which format it is" in problem for problem in problems)


def test_a_first_line_that_is_too_long_for_csv_is_not_csv() -> None:
    assert form_of("keys", "id,secret\na,b\n") == "csv"
    assert form_of("keys", f"id,{'x' * (csv.field_size_limit() + 1)}\na,b\n") == "yaml"
