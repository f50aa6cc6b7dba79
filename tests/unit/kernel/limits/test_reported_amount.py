"""kernel/limits/reported_amount.py: what an answer says that a call was."""

import pytest

from gateway.kernel.limits.quota import MOST, Amount
from gateway.kernel.limits.reported_amount import amount_in_body, amount_in_header

HEADER = Amount(b"x-bytes")
FIELD = Amount(field=("output", "bytes"))


@pytest.mark.parametrize(
    ("values", "amount"),
    [
        ([b"0"], 0),
        ([b"1234"], 1234),
        ([b"%d" % MOST], MOST),
        ([b"%d" % (MOST + 1)], None),
        ([b"9" * 5000], None),
        ([b"-1"], None),
        ([b"+1"], None),
        ([b"1.0"], None),
        ([b"1 "], None),
        ([b""], None),
        ([b"5", b"5"], None),
        ([], None),
    ],
)
def test_a_field_is_a_whole_number_or_states_nothing(values: list[bytes], amount: int | None) -> None:
    assert amount_in_header([(b"x-other", b"7"), *((b"x-bytes", value) for value in values)], HEADER) == amount


@pytest.mark.parametrize(
    ("body", "amount"),
    [
        (b'{"output":{"bytes":1234,"a":[1]}}', 1234),
        (b' {"a":1, "output": {"bytes" : 0 }} ', 0),
        (b'{"output":{"bytes":1,"bytes":2}}', 2),
        (b'{"output":{"bytes":"5"}}', None),
        (b'{"output":{"bytes":-5}}', None),
        (b'{"output":{"bytes":1e3}}', None),
        (b'{"output":{"bytes":5.0}}', None),
        (b'{"output":{"bytes":null}}', None),
        (b'{"output":{"bytes":1' + b"0" * 30 + b"}}", None),
        (b'{"output":{}}', None),
        (b'{"output":5}', None),
        (b"[]", None),
        (b'{"output":', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_member_of_the_json_is_a_whole_number_or_states_nothing(body: bytes, amount: int | None) -> None:
    assert amount_in_body(body, FIELD) == amount
