"""W3C Trace Context: the `traceparent` field, passed on with a span of ours or begun.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re

from gateway.kernel.ids import Ids

_PARENT = re.compile(r"([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?", re.ASCII | re.DOTALL).fullmatch

_KNOWN_FLAGS = {f"{flags:02x}": f"{flags & 3:02x}" for flags in range(256)}
"""Sampled (1) and random (2). "Vendors MUST set those [others] to zero.\""""

_BEGUN_FLAGS = "02"
"""Not sampled, for nobody here records spans; the trace id is random (Level 2)."""


def join(header: str | None, ids: Ids) -> tuple[str, str]:
    """The `traceparent` for the upstream, and the trace id.

    A valid `header` keeps its trace id and flags; otherwise a trace is begun, and then a `tracestate` that came with
    the request must not be passed on.
    """
    if header is not None:
        parent = _PARENT(header)
        if parent is not None:
            version, trace_id, flags, rest = parent.groups()
            # "Version ff is invalid." Version 00 ends after the flags; a later one may go on after a dash.
            if (version == "00" and rest is None) or version not in ("00", "ff"):
                return f"00-{trace_id}-{ids.span()}-{_KNOWN_FLAGS[flags]}", trace_id
    trace_id = ids.trace()
    return f"00-{trace_id}-{ids.span()}-{_BEGUN_FLAGS}", trace_id
