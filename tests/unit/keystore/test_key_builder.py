"""keystore/key_builder.py: entries become keys, and problems are logged once."""

import structlog

from gateway.keystore.key_builder import MAX_PROBLEMS, KeyBuilder, put_bounded
from gateway.settings.checks.stored_keys import References
from gateway.table.keys import KeyMaker
from tests.fake_key_store import STORED

GOOD, STRANGE = b'{"id": "k"}', b'{"id": "k", "plan": "none"}'


def test_an_entry_becomes_a_key_or_is_logged_once() -> None:
    builder = KeyBuilder(References(STORED), KeyMaker(STORED).make)
    with structlog.testing.capture_logs() as lines:
        made = builder.build(GOOD)
        assert [builder.build(STRANGE) for _ in range(2)] == [None, None]
        assert builder.build(b"x" * 100_000) is None
    assert made is not None
    assert made.id == "k"
    problems = ["there is no plan `none`", "it is longer than 32768 bytes"]
    assert [(line["event"], line["problem"]) for line in lines] == [("key unusable", problem) for problem in problems]
    assert repr(builder) == "<KeyBuilder 2 problems>"


def test_the_problems_that_are_remembered_are_bounded() -> None:
    builder = KeyBuilder(References(STORED), KeyMaker(STORED).make)
    with structlog.testing.capture_logs():
        for number in range(MAX_PROBLEMS + 5):
            builder.build(b'{"id": "k%d", "plan": "none"}' % number)
    assert repr(builder) == f"<KeyBuilder {MAX_PROBLEMS} problems>"


def test_the_oldest_entry_makes_way() -> None:
    entries: dict[str, int] = {}
    for number, name in enumerate("abac"):
        put_bounded(entries, name, number, 2)
    assert entries == {"b": 1, "c": 3}
