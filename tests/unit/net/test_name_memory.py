"""net/name_memory.py: results that workers share."""

import pytest

from gateway.net.name_memory import ENTRY_BYTES, NameMemory


def test_workers_share_their_results() -> None:
    memory = NameMemory(["orders.internal", "users.internal"])
    assert memory.get("orders.internal") is None
    memory.put("orders.internal", ["10.0.0.1", "fe80::1"], 12.5)
    assert memory.get("orders.internal") == (["10.0.0.1", "fe80::1"], 12.5)
    assert memory.get("users.internal") is None
    memory.put("orders.internal", [], 13.0)
    assert memory.get("orders.internal") is None
    assert repr(memory) == "<NameMemory 2 names>"


def test_a_name_that_is_not_configured_has_no_entry() -> None:
    memory = NameMemory()
    memory.put("orders.internal", ["10.0.0.1"], 1.0)
    assert memory.get("orders.internal") is None


def test_more_addresses_than_fit_into_an_entry() -> None:
    memory = NameMemory(["many"])
    addresses = [f"2001:db8:ffff:ffff:ffff:ffff:ffff:{number:04x}" for number in range(100)]
    memory.put("many", addresses, 1.0)
    known = memory.get("many")
    assert known is not None
    assert 20 < len(known[0]) < 100
    assert known[0] == addresses[: len(known[0])]


@pytest.mark.parametrize("at", [0, 5, 20])
def test_an_unfinished_entry_is_ignored(at: int) -> None:
    memory = NameMemory(["orders.internal"])
    memory.put("orders.internal", ["10.0.0.1", "10.0.0.2"], 1.0)
    assert len(memory._memory) == ENTRY_BYTES
    memory._memory[at] ^= 1
    assert memory.get("orders.internal") is None


def test_a_new_configuration_adopts_the_entries_of_the_last_one() -> None:
    before, after = NameMemory(["a", "b"]), NameMemory(["b", "c"])
    before.put("a", ["10.0.0.1"], 1.0)
    before.put("b", ["10.0.0.2"], 2.0)
    after.adopt(before)
    assert (after.get("b"), after.get("c")) == ((["10.0.0.2"], 2.0), None)
