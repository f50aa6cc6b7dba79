"""Request, trace and span ids, made of random bytes by the hundred.

A system call for each request costs more than the rest of the id, and so does joining its parts: the ids of many
exchanges are written at once, column by column, into one text of which each gets its row.
Make an `Ids` in the process that uses it, after any fork: two processes with one batch would give out the same ids.
"""

from binascii import hexlify
from collections.abc import Callable

_BATCH_BYTES = 4096
_BEGUN_FLAGS, _SAMPLED_FLAGS = "02", "03"
"""The flags of a trace that begins here, without and with that of a sampled one. The trace id is random."""
_PARENT = f"00-{'.' * 32}-{'.' * 16}-{_BEGUN_FLAGS}"
_ROW = f"{_PARENT}........-....-....-....-............".encode()
"""The ids of an exchange: a `traceparent` and a request id, with dots for random digits."""
_TRACE_AT = 3
_TRACE_END = 35
_REQUEST_AT = 55
_ROW_END = 91
_VERSION_AT, _VARIANT_AT = 69, 74
_VARIANT = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)
"""RFC 9562, 4.1 and 4.2: the four bits of the version are 0100, the two highest bits of the ninth byte are 10."""

_DOTS = [at for at, character in enumerate(_ROW) if character == ord(".")]
_ROWS = 2 * _BATCH_BYTES // len(_DOTS)
"""How many fit into a batch."""
_RANDOM_VALUES = 1 << 56
"""The random part of a trace id, by which it is sampled: https://www.w3.org/TR/trace-context-2/#random-trace-id-flag"""
_NO_SPAN = "0" * 16

NewIds = tuple[str, str, str]
"""A `traceparent` with the first span of a trace, the id of the trace (32 digits, not all zero), and a request id."""


class Ids:
    """Gives out ids. For one thread.

    `entropy(n)` returns n bytes fit for secrets (`os.urandom`). `sampled_share` is the share, from 0 to 1, of
    the traces that `samples` accepts.
    """

    __slots__ = ("_at", "_rows", "_spans", "_threshold", "entropy")

    def __init__(self, entropy: Callable[[int], bytes], sampled_share: float = 0.0) -> None:
        self.entropy = entropy
        rejected = round((1 - sampled_share) * _RANDOM_VALUES)
        self._threshold = f"{rejected:014x}" if rejected < _RANDOM_VALUES else None
        self._spans: list[str] = []
        self._rows = ""
        self._at = 0

    def begin(self) -> NewIds:
        """Return the ids of an exchange that begins a trace."""
        while self._at >= len(self._rows):
            self._rows, self._at = self._new_rows(), 0
        rows, at = self._rows, self._at
        self._at = at + _ROW_END
        parent, trace_id = rows[at : at + _REQUEST_AT], rows[at + _TRACE_AT : at + _TRACE_END]
        if self._threshold is not None and self.samples(trace_id):
            parent = f"{parent[: -len(_SAMPLED_FLAGS)]}{_SAMPLED_FLAGS}"
        return parent, trace_id, rows[at + _REQUEST_AT : at + _ROW_END]

    def request(self) -> str:
        """Return a UUID of version 4 in lower case."""
        return self.begin()[2]

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

    def _new_rows(self) -> str:
        """Return rows like `_ROW`, with the digits of a batch in the places of its dots.

        All rows are written at once, place by place, which is much faster than one after the other.
        """
        digits = hexlify(self.entropy(_BATCH_BYTES))[: _ROWS * len(_DOTS)]
        text = bytearray(_ROW * _ROWS)
        for number, at in enumerate(_DOTS):
            text[at::_ROW_END] = digits[number :: len(_DOTS)]
        text[_VERSION_AT::_ROW_END] = b"4" * _ROWS
        text[_VARIANT_AT::_ROW_END] = text[_VARIANT_AT::_ROW_END].translate(_VARIANT)
        rows = text.decode()
        if _NO_SPAN not in rows:
            return rows
        # Half of the zeros of a trace id are enough to leave it out.
        several = [rows[at : at + _ROW_END] for at in range(0, len(rows), _ROW_END)]
        return "".join([each for each in several if _NO_SPAN not in each])
