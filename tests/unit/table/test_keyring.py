"""table/keyring.py: keys, organisations, visitors."""

from hashlib import sha256

import pytest

from gateway.kernel.addresses import Binding
from gateway.kernel.faults import (
    KEY_DISABLED,
    KEY_EXPIRED,
    KEY_MISSING,
    KEY_UNKNOWN,
    ORGANIZATION_DISABLED,
    ORGANIZATION_FORBIDDEN,
    Fault,
)
from gateway.table import Key, Keyring, Visitors
from tests.refusals import refusal
from tests.samples import MINUTE, caller, keyring

ACME, INITECH = caller(organization="acme"), caller(organization="initech")
CALLERS = {None: ACME, "acme": ACME, "initech": INITECH}


def ring(**keys: Key) -> Keyring:
    return keyring({sha256(secret.encode()).digest(): key for secret, key in keys.items()})


KEYS = ring(
    good=Key("k1", CALLERS, disabled=False, disabled_organizations=frozenset({"initech"}), expires=None),
    old=Key("k2", CALLERS, disabled=False, disabled_organizations=frozenset(), expires=1000.0),
    off=Key("k3", CALLERS, disabled=True, disabled_organizations=frozenset(), expires=None),
)


def test_a_caller_is_unrestricted_who_may_use_everything_from_anywhere() -> None:
    assert ACME.unrestricted
    restricted = (
        caller(routes=frozenset({"orders"})), caller(methods=frozenset({"GET"})), caller(binding=Binding(None, None)),
    )  # fmt: skip
    assert [each.unrestricted for each in restricted] == [False] * 3


def test_a_key_speaks_for_its_default_organisation_or_the_one_asked_for() -> None:
    assert KEYS.find("good", None, 0.0) is ACME
    assert KEYS.find("good", "acme", 0.0) is ACME
    assert KEYS.find("old", "initech", 999.0) is INITECH


def test_a_certificate_speaks_as_a_key_does() -> None:
    old = Key("k4", CALLERS, disabled=False, disabled_organizations=frozenset(), expires=1000.0)
    one = keyring({}, {"CN=a": old})
    assert one.certified("CN=a", "initech", 999.0) is INITECH
    for subject, fault in (("CN=a", KEY_EXPIRED), ("CN=A", KEY_MISSING)):
        raised = refusal(one.certified(subject, None, 1000.0))
        assert raised.fault is fault


def test_operators_know_a_key_by_its_id() -> None:
    old = Key("k4", CALLERS, disabled=False, disabled_organizations=frozenset(), expires=1000.0)
    assert keyring({}, {}, {"k4": old}).named("k4") is old
    assert keyring({b"k4": old}, {"k4": old}).named("k4") is None


@pytest.mark.parametrize(
    ("secret", "organization", "fault"),
    [
        ("bad", None, KEY_UNKNOWN),
        ("\udcff", None, KEY_UNKNOWN),
        ("old", None, KEY_EXPIRED),
        ("off", None, KEY_DISABLED),
        ("good", "umbrella", ORGANIZATION_FORBIDDEN),
        ("good", "initech", ORGANIZATION_DISABLED),
    ],
)
def test_what_is_refused(secret: str, organization: str | None, fault: Fault) -> None:
    raised = refusal(KEYS.find(secret, organization, 1000.0))
    assert raised.fault is fault


def test_visitors_are_distinguished_by_address_and_ipv6_ones_by_network() -> None:
    visitors, windows = Visitors(), (MINUTE,)

    def bucket(address: str) -> str:
        return visitors.find(address, "anonymous", windows).bucket

    assert bucket("192.0.2.1") == bucket("192.0.2.1") == bucket("::ffff:192.0.2.1")
    assert bucket("192.0.2.1") != bucket("192.0.2.2")
    assert bucket("2001:db8::1") == bucket("2001:db8::2") != bucket("2001:db8:0:1::1")
    assert bucket("unix") != bucket("192.0.2.1")
    assert "192.0.2.1" not in bucket("192.0.2.1")


def test_a_changed_plan_reaches_visitors_that_are_known() -> None:
    visitors, other = Visitors(), (MINUTE, MINUTE)
    visitors.find("192.0.2.1", "anonymous", (MINUTE,))
    assert visitors.find("192.0.2.1", "anonymous", other).claim.windows is other


def test_the_memory_for_visitors_is_bounded() -> None:
    visitors = Visitors()
    visitors._known.most = 64
    for number in range(80):
        visitors.find(f"10.0.{number >> 8}.{number & 255}", "anonymous", (MINUTE,))
    assert len(visitors._known) <= 64
