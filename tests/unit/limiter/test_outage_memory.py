"""limiter/outage_memory.py: what was written is there, whatever became of the writer."""

import os

import pytest

from gateway.limiter.outage_memory import OutageMemory


def test_what_was_written_is_there_for_another_who_opens_it() -> None:
    memory = OutageMemory.shared()
    assert memory.append(b"one ")
    assert memory.append(b"two")
    memory.gateways = 3
    opened = OutageMemory.opened(os.dup(memory.fd))
    assert (opened.read(), opened.gateways, repr(opened)) == (b"one two", 3, "<OutageMemory 7 bytes>")
    opened.close()
    memory.close()


def test_all_is_replaced_at_once_and_begins_anew() -> None:
    memory = OutageMemory.shared(half_bytes=16384)
    for number in range(5):
        assert memory.append(b"first ")
        assert memory.replace(b"%d" % number)
        assert memory.append(b" more")
        assert (memory.read(), memory.used) == (b"%d more" % number, 6)
    assert memory.replace(b"")
    assert (memory.read(), memory.used) == (b"", 0)


def test_content_that_does_not_fit_changes_nothing() -> None:
    memory = OutageMemory.shared(half_bytes=16384)
    assert memory.append(b"x" * 16384)
    assert not memory.append(b"y")
    assert not memory.replace(b"z" * 16385)
    assert memory.read() == b"x" * 16384


def test_the_memory_of_another_release_is_refused() -> None:
    memory = OutageMemory.shared(half_bytes=16384)
    with pytest.raises(ValueError, match="another release"):
        OutageMemory.opened(memory.fd)
