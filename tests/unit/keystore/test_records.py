"""keystore/records.py: what gateways find of a key, by each of its proofs."""

import json
from hashlib import sha256

from gateway.keystore.records import KeyNames, Secret, StoredKey, proof_of_certificate, proof_of_secret

KEY = {"id": "a", "plan": "gold"}


def entries(**changes: object) -> dict[str, dict[str, object]]:
    secrets = (Secret("1" * 64), Secret("2" * 64, "2030-01-01T00:00:00Z"))
    return {
        proof: json.loads(entry)
        for proof, entry in StoredKey(KEY | changes, secrets, "2026-01-01T00:00:00Z").entries().items()
    }


def test_each_secret_finds_the_key_for_as_long_as_both_are_valid() -> None:
    assert entries() == {
        "1" * 64: {**KEY, "secret_sha256": "1" * 64},
        "2" * 64: {**KEY, "secret_sha256": "2" * 64, "expires": "2030-01-01T00:00:00Z"},
    }
    early, late = "2029-12-31T23:00:00Z", "2030-01-01T00:30:00+00:00"
    assert [entry["expires"] for entry in entries(expires=early).values()] == [early, early]
    assert [entry["expires"] for entry in entries(expires=late).values()] == [late, "2030-01-01T00:00:00Z"]


def test_a_certificate_finds_it_too_and_is_nobodys_secret() -> None:
    subject = "CN=billing"
    proof = proof_of_certificate(subject)
    assert entries(certificate_subject=subject)[proof] == {**KEY, "certificate_subject": subject}
    assert proof != proof_of_secret(subject)
    assert len(proof) > len(proof_of_secret(subject))


def test_a_secret_of_any_bytes_has_a_proof() -> None:
    assert proof_of_secret("\udcff") == sha256(b"\xff").hexdigest()


def test_all_names_have_one_hash_tag() -> None:
    assert {name.partition("{")[2].partition("}")[0] for name in KeyNames.of("gw")} == {"keys"}
    assert len(set(KeyNames.of("gw"))) == 5
