"""fleet/address.py: the address under which a gateway is reached by others."""

import pytest

from gateway.fleet.address import reachable


@pytest.mark.parametrize(
    ("host", "towards", "expected"),
    [
        ("10.0.0.7", ("127.0.0.1", 6379), "10.0.0.7:9901"),
        ("::1", None, "[::1]:9901"),
        ("0.0.0.0", ("127.0.0.1", 6379), "127.0.0.1:9901"),
        ("::", ("127.0.0.1", 6379), "127.0.0.1:9901"),
        ("0.0.0.0", ("::1", 6379), ""),
        ("0.0.0.0", None, ""),
        ("no such name", None, ""),
    ],
)
async def test_the_address_is_one_that_others_can_reach(
    host: str, towards: tuple[str, int] | None, expected: str
) -> None:
    assert await reachable(host, 9901, towards) == expected


async def test_a_name_is_resolved() -> None:
    assert await reachable("localhost", 9901, None) in ("127.0.0.1:9901", "[::1]:9901")
