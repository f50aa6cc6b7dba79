"""config_diff/inventory.py: items and their aspects, and no secret in them."""

import msgspec
import pytest

from gateway.config_diff.inventory import Item, Redactor, is_secret, items_of
from gateway.settings import Config, parse
from tests.yaml_files import DIGEST

TEXT = f"""
version: 1
admin: {{token: open-sesame}}
redis: {{url: "redis://somebody:hunter2@cache:6379/0"}}
organizations: [{{id: acme, limits: [{{id: day, max: 1000, per: 1d}}]}}]
keys: [{{id: k, secret_sha256: {DIGEST}, organizations: [acme], expires: "2027-01-01T02:00:00+02:00"}}]
upstreams: [{{id: u, targets: [{{url: "http://a:1"}}]}}]
defaults: {{timeouts: {{total: 5s}}}}
routes:
  - {{id: r, match: {{prefix: /v1}}, upstream: u, headers: {{request: {{set: {{Authorization: Basic Zm9v, X-Service: api}}}}}}}}
  - {{id: s, match: {{path: "/s/{{id}}"}}, upstream: u, auth: none, envelope: {{max_buffer: 2MiB}}}}
errors: {{rate_limited: {{status: 503}}}}
"""
SECRETS = ("open-sesame", "hunter2", "somebody", DIGEST[:8], "Zm9v")
REMOTE, LOCAL = Redactor(b"salt", local=False), Redactor(b"salt", local=True)


def inventory(text: str = TEXT, redactor: Redactor = REMOTE) -> dict[str, Item]:
    found = {str(item): item for item in items_of(parse(text), redactor)}
    assert len(found) == len(list(items_of(parse(text), redactor)))
    return found


def test_items_have_the_words_that_an_operator_has_for_them() -> None:
    names = [name for name in inventory() if not name.startswith("error ")]
    assert names == [
        *("section server", "listener public", "section admin", "section redis", "section auth"),
        *("organization acme", "limit day of organization acme"),
        *("plan standard", "limit minute of plan standard", "plan anonymous", "limit minute of plan anonymous"),
        *("key k", "upstream u", "section defaults", "route r", "route s", "section observability"),
    ]
    assert inventory()["limit day of organization acme"].of == "organization acme"
    assert inventory()["listener public"].of == ""


def test_aspects_are_what_holds_spelled_as_in_a_file() -> None:
    found = inventory()
    route = found["route s"].aspects
    assert (route["path"], route["auth"], route["plan"], route["match.methods"][:2]) == (
        "/s/{id}",
        "none",
        "anonymous",
        ["GET", "POST"],
    )
    assert (
        route["envelope.mode"],
        route["envelope.max_buffer"],
        route["timeouts.total"],
        route["timeouts.connect"],
    ) == (
        *("auto", "2MiB"),
        *("5s", "1s"),
    )
    assert (found["route r"].aspects["path"], found["route r"].aspects["plan"]) == ("/v1/**", None)
    limit = {"max": 300, "per": "1m", "guarantee": "burst", "shadow": False, "scope": "key"}
    assert limit.items() <= found["limit minute of plan standard"].aspects.items()
    assert found["key k"].aspects["expires"] == "2027-01-01T00:00:00Z"
    assert found["upstream u"].aspects["targets"][0]["url"] == "http://a:1"
    assert (found["error rate_limited"].aspects["status"], found["error rate_limited"].aspects["code"]) == (503, 8000)
    assert found["section server"].aspects["workers"] == "auto"


def test_no_secret_is_in_it() -> None:
    for redactor in (REMOTE, LOCAL):
        reported = msgspec.json.encode(list(inventory(redactor=redactor).values())).decode()
        assert [secret for secret in SECRETS if secret in reported] == []
        assert "redis://***@cache:6379/0" in reported
        assert '"headers.request.set.X-Service":"api"' in reported


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("Authorization", "anything", True),
        ("X-Auth", "c", True),
        ("X-Functions-Key", "c", True),
        ("Ocp-Apim-Subscription-Key", "c", True),
        ("X-Signature", "c", True),
        ("X-Backend", "Basic Zm9v", True),
        ("X-Backend", "bearer Zm9v", True),
        ("X-Backend", "basic", False),
        ("Cache-Control", "no-store", False),
        ("X-Service", "api", False),
    ],
)
def test_a_secret_is_known_by_the_name_of_its_field_or_by_how_it_begins(name: str, value: str, *, secret: bool) -> None:
    assert is_secret(name, value) == secret


def test_what_people_think_of_is_distinguished_locally_only() -> None:
    other = TEXT.replace("open-sesame", "open-barley").replace("hunter2", "hunter3").replace("Zm9v", "YmFy")
    assert inventory(other) == inventory()
    changed = {name for name, item in inventory(other, LOCAL).items() if item != inventory(redactor=LOCAL)[name]}
    assert changed == {"section admin", "section redis", "route r"}


def test_digests_of_keys_are_distinguished_everywhere_with_the_salt() -> None:
    other = TEXT.replace(DIGEST, DIGEST[::-1])
    assert inventory(other)["key k"] != inventory()["key k"]
    assert inventory(redactor=Redactor(b"pepper", local=False))["key k"] != inventory()["key k"]


def test_a_configuration_of_nothing_but_defaults_has_them() -> None:
    assert {item.kind for item in items_of(Config(version=1), REMOTE)} == {
        "section",
        "listener",
        "plan",
        "limit",
        "error",
    }
