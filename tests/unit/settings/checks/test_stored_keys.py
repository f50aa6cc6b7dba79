"""settings/checks/stored_keys.py: keys that stand elsewhere, read and checked as those in the file are."""

import pytest

from gateway.settings import parse
from gateway.settings.checks.stored_keys import References, read_key
from gateway.settings.schema.values import RefusedError
from tests.yaml_files import DIGEST, LEAST

PLANS = "plans: [{id: gold, limits: []}, {id: team, limits: [{id: day, max: 9, per: 1d, scope: organization}]}]\n"
CONFIG = parse(LEAST + "organizations: [{id: acme}]\n" + PLANS)


def test_a_key_is_read_as_in_the_file() -> None:
    key = read_key(
        {
            "id": "a",
            "secret_sha256": DIGEST,
            "organizations": ["acme"],
            "methods": ["GET"],
            "expires": "2030-01-01T00:00:00Z",
        }
    )
    assert (key.id, key.organizations, key.methods, key.plan) == ("a", ("acme",), ("GET",), "standard")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "id: missing"),
        (
            {"id": "a b", "quota": 1},
            "id: `a b` is not an id; use up to 128 letters, digits and `._:@-`, beginning with a letter or digit; quota: unknown key",
        ),
        ({"id": "a", "methods": ["GET", "GOT"]}, "methods[1]: `GOT` is not a method that the gateway knows"),
        ({"id": "a", "secret_sha256": "s3cret"}, "secret_sha256: a SHA-256 digest is 64 lower-case hexadecimal digits"),
    ],
)
def test_all_that_is_wrong_is_reported_without_secrets(entry: dict[str, object], message: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_key(entry)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("entry", "wrong", "doubtful"),
    [
        ({"plan": "gold", "organizations": ["acme"], "routes": ["al*"]}, [], []),
        ({"plan": "gone"}, ["there is no plan `gone`"], []),
        (
            {"organizations": ["acne", "x"]},
            ["there is no organization `acne`; did you mean `acme`?", "there is no organization `x`"],
            [],
        ),
        ({"limits": [{"id": "minute", "max": 5, "per": "1m"}]}, [], []),
        (
            {"limits": [{"id": "m", "max": 5, "per": "1h"}, {"id": "m", "max": 6, "per": "1d"}]},
            ["limits[1].id: `m` is the id of another limit of this key"],
            [],
        ),
        (
            {"limits": [{"id": "m", "max": 5, "per": "1m"}]},
            [],
            [
                "limits[0].per: `minute` of plan `standard` has the same `per`; write `id: minute` to have this one in its place"
            ],
        ),
        (
            {"plan": "team", "limits": [{"id": "day", "max": 99, "per": "1h"}]},
            [
                "limits[0].id: `day` of plan `team` is shared by the keys of an organisation: no key has one in its place; choose another id",
            ],
            [],
        ),
        ({"routes": ["all", "orders.*"]}, [], ["`orders.*` matches no route"]),
        (
            {"certificate_subject": "CN=a"},
            [],
            ["no listener asks clients for certificates; set `tls.client_ca` of one"],
        ),
    ],
)
def test_what_a_key_refers_to_is_looked_up(entry: dict[str, object], wrong: list[str], doubtful: list[str]) -> None:
    references, key = References(CONFIG), read_key({"id": "a", **entry})
    assert (list(references.wrong(key)), list(references.doubtful(key))) == (wrong, doubtful)
