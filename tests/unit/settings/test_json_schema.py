import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway.kernel.faults import CATALOGUE
from gateway.settings import json_schema, json_schema_text, load
from tests.yaml_files import LEAST

FOLDER = Path(__file__).parents[3] / "config"
SHIPPED = sorted(FOLDER.glob("*.yaml"))
ENVIRON = {"PARTNER_KEY_SHA256": "0a" * 32, "UPSTREAM_URL": "http://127.0.0.1:3000"}
VALIDATOR = Draft202012Validator(json_schema())


def test_the_shipped_schema_is_that_of_the_code() -> None:
    assert (FOLDER / "gateway.schema.json").read_text() == json_schema_text(), (
        "run: gateway schema > config/gateway.schema.json"
    )


def test_it_is_a_schema_and_states_what_everything_is() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    for name, section in schema["$defs"].items():
        assert section.get("description"), name
        for key, field in section.get("properties", {}).items():
            assert "description" in field or "$ref" in field, f"{name}.{key}"


def test_defaults_are_what_one_may_write() -> None:
    definitions = json_schema()["$defs"]
    for name, section in definitions.items():
        for key, field in section.get("properties", {}).items():
            if "default" in field:
                assert Draft202012Validator({**field, "$defs": definitions}).is_valid(field["default"]), f"{name}.{key}"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_files_are_valid_and_name_their_schema(file: Path) -> None:
    assert load(file, ENVIRON).routes
    assert file.read_text().startswith("# yaml-language-server: $schema=./gateway.schema.json\n")
    assert not list(VALIDATOR.iter_errors(yaml.safe_load(file.read_text())))


@pytest.mark.parametrize(
    "text",
    [
        "server: {drain_delay: 5}",
        "server: {drain_delay: 5min}",
        "sever: {}",
        "server: {listeners: []}",
        "observability: {log: {level: loud}}",
        "errors: {no_such_fault: {}}",
        "keys: [{id: a}]",
        "keys: {store: etcd}",
        "version: 2",
        "redis: null",
    ],
)
def test_editors_see_what_is_wrong(text: str) -> None:
    assert not VALIDATOR.is_valid({**yaml.safe_load(LEAST), **yaml.safe_load(text)})


def test_keys_are_a_list_or_say_where_they_are() -> None:
    for text in ("keys: {store: redis}", "keys: []"):
        assert VALIDATOR.is_valid({**yaml.safe_load(LEAST), **yaml.safe_load(text)})


def test_references_may_stand_for_any_value() -> None:
    data = json.loads(
        '{"server": {"drain_delay": "${DELAY:-5s}", "workers": "${WORKERS}"}, "observability": {"log": {"access": "${ACCESS}"}}}'
    )
    assert VALIDATOR.is_valid({**yaml.safe_load(LEAST), **data})


def test_editors_complete_faults_and_show_defaults() -> None:
    schema = json_schema()
    faults = schema["properties"]["errors"]["properties"]
    assert list(faults) == list(CATALOGUE)
    assert faults["key_missing"]["description"] == "401, code 1002: Send your API key in the X-Api-Key header field."
    shown = schema["$defs"]["Timeouts"]["properties"]["first_byte"]["markdownDescription"]
    assert shown == (
        "From the request sent to the first byte of the reply.\n\nDefault: `10s`\n\n"
        "Example:\n\n```yaml\nfirst_byte: 10s\n```"
    )
    shown = schema["properties"]["errors"]["markdownDescription"]
    assert shown.endswith("```yaml\nerrors: {malformed_request: {status: 400}}\n```")


def test_every_field_has_an_example_that_one_may_write() -> None:
    schema = json_schema()
    definitions = schema["$defs"]
    for name, section in {"": schema, **definitions}.items():
        for key, field in section.get("properties", {}).items():
            text = field["markdownDescription"]
            named, _, written = text.rpartition("```yaml\n")[2].removesuffix("\n```").partition(": ")
            valid = Draft202012Validator({**field, "$defs": definitions})
            assert named == key
            assert not list(valid.iter_errors(yaml.safe_load(written))), f"{name}.{key}: {written}"
