"""kernel/envelope/checked_texts.py."""

import pytest

from gateway.kernel.envelope.checked_texts import LARGE_BYTES, MOST_BYTES, CheckedTexts
from gateway.table import Envelope
from tests.answers import answer_of, normalized
from tests.samples import route

LARGE = b'{"a":"%b"}' % (b"x" * LARGE_BYTES)
ENVELOPE = b'{"requestId":"1","status":"SUCCESS","data":{"result":"%b"}}' % (b"x" * LARGE_BYTES)
TEXTS = [
    LARGE,
    ENVELOPE,
    LARGE[:-1],
    LARGE + b" ",
    LARGE.replace(b"x}", b"\xff}"),
    LARGE.replace(b'xx"', b'\xff"'),
    LARGE.replace(b'xxx"', b'\xc3\xa9x"'),
    b"[%b]" % LARGE,
    b'{"a":1}',
    b"[",
    b"",
]


class _Counting(bytes):
    """Counts how often it is read: whoever checks a text looks whether it is ASCII."""

    read = 0

    def isascii(self) -> bool:
        self.read += 1
        return super().isascii()


@pytest.mark.parametrize("text", TEXTS)
def test_says_the_same_each_time_and_with_any_others_between(text: bytes) -> None:
    checked = CheckedTexts()
    fresh = [(CheckedTexts().probe(each), CheckedTexts().is_json(each)) for each in TEXTS]
    for each in (text, text, *TEXTS, text, *reversed(TEXTS), text):
        assert (checked.probe(each), checked.is_json(each)) == fresh[TEXTS.index(each)]


@pytest.mark.parametrize("change", [b'"', b"\\", b"\n", b"\xff"])
@pytest.mark.parametrize("at", [6, LARGE_BYTES // 2, len(LARGE) - 3])
def test_one_other_byte_makes_another_text(change: bytes, at: int) -> None:
    checked = CheckedTexts()
    assert (checked.probe(LARGE), checked.is_json(LARGE)) == (False, True)
    other = LARGE[:at] + change + LARGE[at + 1 :]
    for _ in range(2):
        assert (checked.probe(other), checked.is_json(other)) == (None, False)


def test_a_text_that_may_be_an_envelope_is_not_known_to_be_none() -> None:
    checked = CheckedTexts()
    assert checked.is_json(ENVELOPE)
    assert checked.probe(ENVELOPE)


def test_large_ones_are_read_once_and_small_ones_each_time() -> None:
    checked = CheckedTexts()
    large, again, small = _Counting(LARGE), _Counting(LARGE), _Counting(b'{"a":1}')
    for text in (large, large, again, small, small):
        assert checked.probe(text) is False
        assert checked.is_json(text)
    assert (large.read, again.read, small.read) == (2, 0, 4)


def test_what_is_remembered_has_a_bound() -> None:
    checked, pieces = CheckedTexts(), 8
    texts = [_Counting(b'["%b"]' % (b"y" * (MOST_BYTES // pieces - 100 - n))) for n in range(pieces + 1)]
    for text in (*texts, *reversed(texts)):
        assert checked.is_json(text)
    assert [text.read for text in texts] == [2, *[1] * pieces]  # the first one had to go
    huge = _Counting(b'["%b"]' % (b"y" * MOST_BYTES))
    for text in (huge, huge, texts[1]):
        assert checked.is_json(text)
    assert (huge.read, texts[1].read) == (2, 2)


@pytest.mark.parametrize("text", [LARGE, ENVELOPE])
def test_routes_that_share_it_keep_their_modes(text: bytes) -> None:
    checked = CheckedTexts()
    auto, wrap = (route(envelope=Envelope(mode, 1 << 20, "refuse", checked)) for mode in ("auto", "wrap"))
    for _ in range(2):
        assert normalized(answer_of(text), wrap).content == text
        assert normalized(answer_of(text), auto).content == (text if text is LARGE else b"")
