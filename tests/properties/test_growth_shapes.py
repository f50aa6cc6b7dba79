"""The comparison of two JSON texts of services costs time linear in their bytes."""

from collections.abc import Callable

import pytest

from gateway.kernel.traffic.json_shape import shape_differences
from tests.growth import Work, check_growth
from tests.untrusted import BODY_BYTES

UNITS: dict[str, Callable[[int], bytes]] = {
    "members": lambda number: b'"%d": {},' % number,
    "one member": lambda _: b'"a": 1,',
    "elements": lambda _: b'"a": [[1, "x", null]],',
    "deep": lambda _: b'"a": ' + b"[" * 100 + b"]" * 100 + b",",
    "digits": lambda _: b'"a": ' + b"9" * 200 + b",",
}


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("end", [b'"z": 0}', b'"z": 0'], ids=["whole", "cut off"])
def test_a_json_text(kind: str, end: bytes) -> None:
    def comparing(size: int) -> Work:
        unit = UNITS[kind]
        text = b"{" + b"".join(unit(number) for number in range(size // len(unit(0)))) + end
        return lambda: shape_differences(text, text.replace(b"a", b"b"))

    check_growth(comparing, BODY_BYTES // 10)
