"""W3C Trace Context: the `traceparent` field, passed on with a span of ours or begun.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re

_parent = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?", re.DOTALL
).fullmatch
"""Version, trace id, parent id, flags, and what a later version may add. Lower case only, and no id of zeros."""

_LENGTH_00 = 55
"""Version 00 ends after its flags; later ones are read as far as that."""

_KNOWN_FLAGS = {f"{flags:02x}": f"{flags & 3:02x}" for flags in range(256)}
"""Sampled (1) and random (2). Of the others: "Vendors MUST set those to zero.\""""


def join(header: str | None, begun: str) -> str:
    """Return the `traceparent` for the upstream: a valid `header` with the span of `begun`, otherwise `begun`.

    `begun` begins a trace, and then a `tracestate` that came with the request must not be passed on. A trace that is
    continued keeps its id and flags.
    """
    if header is not None and _parent(header) and (len(header) == _LENGTH_00 or header[:2] != "00"):
        return f"00{header[2:36]}{begun[36:53]}{_KNOWN_FLAGS[header[53:55]]}"
    return begun
