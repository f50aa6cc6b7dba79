"""Request, trace and span ids, made of random bytes by the hundred.

A system call for each request costs more than the rest of the id, and so does cutting and joining text in Python: a
batch is fetched, written and cut at once, by functions that are written in C.
Make an `Ids` in the process that uses it, after any fork: two processes with one batch would give out the same ids.
"""

from binascii import hexlify
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from operator import itemgetter

_BATCH_BYTES = 4096
_REQUEST_ROW = b"........-....-....-....-............\n"
_VERSION_AT, _VARIANT_AT = 14, 19
_VARIANT = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)
"""RFC 9562, 4.1 and 4.2: the four bits of the version are 0100, the two highest bits of the ninth byte are 10."""

_TRACES_BYTES = _BATCH_BYTES // 24 * 24
_RANDOM_VALUES = 1 << 56
"""The random part of a trace id, by which it is sampled: https://www.w3.org/TR/trace-context-2/#random-trace-id-flag"""
_NO_SPAN = "0" * 16
_BEGUN_FLAGS, _SAMPLED_FLAGS = "02", "03"
"""The flags of a trace that begins here, without and with that of a sampled one. The trace id is random."""
_TRACE_ROW = f"00-{'.' * 32}-{'.' * 16}-{_BEGUN_FLAGS}\n".encode()
_trace_id = itemgetter(slice(3, 35))

NewIds = tuple[str, str, str]
"""A `traceparent` with the first span of a trace, the id of the trace (32 digits, not all zero), and a request id."""


class Ids:
    """Gives out ids. For one thread.

    `entropy(n)` returns n bytes fit for secrets (`os.urandom`). `sampled_share` is the share, from 0 to 1, of
    the traces that `samples` accepts. `begin` returns the ids of an exchange that begins a trace, and `request` a UUID
    of version 4 in lower case: both are steps of an iterator over all batches, so that no Python runs for them.
    """

    __slots__ = ("_spans", "_threshold", "begin", "entropy", "request")

    def __init__(self, entropy: Callable[[int], bytes], sampled_share: float = 0.0) -> None:
        self.entropy = entropy
        rejected = round((1 - sampled_share) * _RANDOM_VALUES)
        self._threshold = f"{rejected:014x}" if rejected < _RANDOM_VALUES else None
        self._spans: list[str] = []
        requests = chain.from_iterable(self._request_batches())
        self.request: Callable[[], str] = requests.__next__
        self.begin: Callable[[], NewIds] = chain.from_iterable(self._begun_batches(requests)).__next__

    def span(self) -> str:
        """Return 16 lower-case hexadecimal digits, not all zero (W3C Trace Context, 3.2.2.4)."""
        while not self._spans:
            digits = self.entropy(_BATCH_BYTES).hex()
            spans = [digits[at : at + 16] for at in range(0, len(digits) - 15, 16)]
            self._spans = [span for span in spans if span != _NO_SPAN]
        return self._spans.pop()

    def samples(self, trace_id: str) -> bool:
        """Return whether a trace that begins here is sampled, by its last 56 bits: all who ask agree."""
        return self._threshold is not None and trace_id[-14:] >= self._threshold

    def _request_batches(self) -> Iterator[list[str]]:
        while True:
            text = _rows(_REQUEST_ROW, hexlify(self.entropy(_BATCH_BYTES)))
            text[_VERSION_AT :: len(_REQUEST_ROW)] = b"4" * (_BATCH_BYTES // 16)
            text[_VARIANT_AT :: len(_REQUEST_ROW)] = text[_VARIANT_AT :: len(_REQUEST_ROW)].translate(_VARIANT)
            yield text.decode().split("\n")

    def _begun_batches(self, requests: Iterator[str]) -> Iterator[Iterable[NewIds]]:
        while True:
            text = _rows(_TRACE_ROW, hexlify(self.entropy(_BATCH_BYTES)[:_TRACES_BYTES])).decode()
            parents = text.split("\n")
            if _NO_SPAN in text:  # half of the zeros of a trace id are enough to leave it out
                parents = [each for each in parents if _NO_SPAN not in each]
            if self._threshold is not None:
                parents = [
                    f"{each[:-2]}{_SAMPLED_FLAGS}" if self.samples(_trace_id(each)) else each for each in parents
                ]
            yield zip(parents, map(_trace_id, parents), requests, strict=False)  # no request id is lost at its end


def _rows(row: bytes, digits: bytes) -> bytearray:
    """Return copies of `row` with the `digits` in the places of its dots, without the end of the last row.

    All copies are written at once, place by place, which is much faster than one copy after the other.
    """
    dots = [at for at, character in enumerate(row) if character == ord(".")]
    text = bytearray(row * (len(digits) // len(dots)))
    for number, at in enumerate(dots):
        text[at :: len(row)] = digits[number :: len(dots)]
    del text[-1]
    return text
