import os
import re
import uuid

from gateway.kernel.ids import Ids


class Counting:
    """Entropy that can be foreseen: every byte is `byte`, but for the first batches, which are given."""

    def __init__(self, *batches: bytes, byte: bytes = b"\xff") -> None:
        self.batches = list(batches)
        self.byte = byte
        self.calls = 0

    def __call__(self, n: int) -> bytes:
        self.calls += 1
        given = self.batches.pop(0) if self.batches else b""
        return given + self.byte * (n - len(given))


def test_a_request_id_is_a_lower_case_uuid_of_version_4() -> None:
    ids = Ids(os.urandom)
    for _ in range(1000):
        text = ids.request()
        assert str(uuid.UUID(text)) == text
        assert uuid.UUID(text).version == 4
        assert uuid.UUID(text).variant == uuid.RFC_4122


def test_version_and_variant_replace_six_bits_and_nothing_else() -> None:
    assert Ids(Counting(b"\xff" * 24 + bytes(16))).request() == "00000000-0000-4000-8000-000000000000"
    assert Ids(Counting(byte=b"\xff")).request() == "ffffffff-ffff-4fff-bfff-ffffffffffff"
    given = b"\xff" * 24 + bytes.fromhex("0123456789abcdef0123456789abcdef")
    assert Ids(Counting(given)).request() == "01234567-89ab-4def-8123-456789abcdef"


def test_ids_do_not_repeat_across_batches() -> None:
    ids = Ids(os.urandom)
    made = [make() for _ in range(2000) for make in (ids.request, ids.span, lambda: ids.begin()[1])]
    assert len(set(made)) == len(made)


def test_an_exchange_gets_three_ids_and_none_is_lost_where_a_batch_ends() -> None:
    entropy = Counting(*(os.urandom(4096) for _ in range(3)))
    ids = Ids(entropy)
    made = [ids.begin() for _ in range(306)]
    assert [len({each[part] for each in made}) for part in range(3)] == [306, 306, 306]
    assert entropy.calls == 3  # 102 exchanges each
    assert {tuple(map(len, each)) for each in made} == {(55, 32, 36)}


def test_one_batch_serves_many_ids() -> None:
    entropy = Counting(byte=b"\x5a")
    ids = Ids(entropy)
    assert entropy.calls == 0
    for _ in range(102):
        ids.request()
    assert entropy.calls == 1
    ids.request()
    assert entropy.calls == 2


def test_trace_ids_and_span_ids_are_hexadecimal_and_never_zero() -> None:
    spans = Ids(Counting(bytes(4096), bytes(4088) + b"\x02" * 8))
    assert spans.span() == "02" * 8
    traces = Ids(Counting(bytes(4096), bytes(40 * 101) + b"\x02" * 24))
    assert traces.begin()[:2] == (f"00-{'02' * 16}-{'02' * 8}-02", "02" * 16)
    random = Ids(os.urandom)
    assert all(re.fullmatch("[0-9a-f]{32}", random.begin()[1]) for _ in range(500))
    assert all(re.fullmatch("[0-9a-f]{16}", random.span()) for _ in range(500))


def test_a_trace_that_begins_gets_both_ids_and_neither_is_zero() -> None:
    begun = (f"00-{'f' * 32}-{'f' * 16}-02", "f" * 32)
    assert Ids(Counting()).begin()[:2] == begun
    for zeros in (bytes(16), b"\xff" * 16 + bytes(8), bytes(24)):
        assert Ids(Counting(zeros)).begin()[:2] == begun


def test_a_share_of_traces_is_sampled_by_their_last_56_bits() -> None:
    none, half, every = (Ids(Counting(), share) for share in (0.0, 0.5, 1.0))
    low, middle, high = ("f" * 18 + end for end in ("0" * 14, "8" + "0" * 13, "f" * 14))
    assert [none.samples(trace) for trace in (low, middle, high)] == [False, False, False]
    assert [half.samples(trace) for trace in (low, middle, high)] == [False, True, True]
    assert [every.samples(trace) for trace in (low, middle, high)] == [True, True, True]
    assert not Ids(Counting()).samples(high)
    assert [ids.begin()[0][-2:] for ids in (none, half, every)] == ["02", "03", "03"]
