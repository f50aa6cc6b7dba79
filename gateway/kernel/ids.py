"""Request, trace and span ids, cut from batches of random bytes.

A system call a request for 16 bytes costs more than the rest of the id; so entropy is fetched for hundreds at a time.
Make an `Ids` in the process that uses it, after any fork: two processes with one batch would give out the same ids.
"""

from collections.abc import Callable

_BATCH_BYTES = 4096
_BATCH_DIGITS = 2 * _BATCH_BYTES

_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""RFC 9562, 4.1: the two highest bits of the ninth byte are 10."""


class Ids:
    """Gives out ids. For one thread.

    `entropy(n)` returns n bytes fit for secrets (`os.urandom`).
    """

    __slots__ = ("_at", "_digits", "_entropy")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._digits = ""
        self._at = _BATCH_DIGITS

    def request(self) -> str:
        """Return a UUID of version 4, in lower case."""
        at = self._at
        if at > _BATCH_DIGITS - 32:
            at = self._refill()
        self._at = at + 32
        x = self._digits[at : at + 32]
        return f"{x[:8]}-{x[8:12]}-4{x[13:16]}-{_VARIANT[x[16]]}{x[17:20]}-{x[20:]}"

    def trace(self) -> str:
        """32 lower-case hexadecimal digits, not all zero (W3C Trace Context, 3.2.2.3)."""
        return self._take(32)

    def span(self) -> str:
        """16 lower-case hexadecimal digits, not all zero (W3C Trace Context, 3.2.2.4)."""
        return self._take(16)

    def trace_and_span(self) -> tuple[str, str]:
        """Both, for a trace that begins here, at the price of one."""
        both = self._take(48)
        trace, span = both[:32], both[32:]
        return (trace, span) if span.strip("0") and trace.strip("0") else (self.trace(), self.span())

    def _take(self, digits: int) -> str:
        while True:
            at = self._at
            if at > _BATCH_DIGITS - digits:
                at = self._refill()
            self._at = at + digits
            digits_read = self._digits[at : at + digits]
            if digits_read.strip("0"):
                return digits_read

    def _refill(self) -> int:
        self._digits = self._entropy(_BATCH_BYTES).hex()
        return 0
