"""Makes the fields X-RateLimit-* and those of draft-ietf-httpapi-ratelimit-headers-10."""

from collections.abc import Sequence

from gateway.kernel.http.response_headers import as_text
from gateway.kernel.limits.token_bucket import Claim, Window, WindowState

RateLimitFields = tuple[tuple[str, str], ...]


def limit_fields(windows: Sequence[Window]) -> RateLimitFields:
    """Return the fields that are the same in every reply about a claim.

    `remaining_fields` has names that several windows share.
    """
    if not windows:
        return ()
    several = _shared_names(windows)
    policies = ", ".join(f'"{window.id}";q={window.max};w={max(1, window.per_us // 1_000_000)}' for window in windows)
    named = tuple(
        (f"X-RateLimit-Limit-{window.name}", str(window.max))
        for window in windows
        if window.name and window.name not in several
    )
    return (*named, ("RateLimit-Policy", policies))


def remaining_fields(states: Sequence[WindowState]) -> list[tuple[str, str]]:
    """Return the fields about what this call has left; `t` is in how many seconds the bucket is full again.

    Of several windows of one name, the tightest one is given: that which has the least left, and of those the one that
    is full again last.
    """
    if len(states) == 1 and (name := states[0].window.name):  # nearly every plan
        only = states[0]
        return [
            (f"X-RateLimit-Remaining-{name}", f"{only.remaining}"),
            ("RateLimit", f'"{only.window.id}";r={only.remaining};t={_whole_s(only.full_us)}'),
        ]
    fields: list[tuple[str, str]] = []
    tightest: dict[str, WindowState] = {}
    several = _shared_names([state.window for state in states])
    for state in states:
        if name := state.window.name:
            other = tightest.get(name)
            if other is None or (state.remaining, -state.full_us) < (other.remaining, -other.full_us):
                tightest[name] = state
    for name, state in tightest.items():
        if name in several:
            fields.append((f"X-RateLimit-Limit-{name}", f"{state.window.max}"))
        fields.append((f"X-RateLimit-Remaining-{name}", f"{state.remaining}"))
    if states:
        fields.append(
            ("RateLimit", ", ".join([f'"{s.window.id}";r={s.remaining};t={_whole_s(s.full_us)}' for s in states]))
        )
    return fields


def limit_text(claim: Claim, states: Sequence[WindowState]) -> str:
    """Return the fields of `claim` and `remaining_fields` as lines with CR and LF."""
    if len(states) == 1 and (name := (window := (only := states[0]).window).name):  # nearly every plan
        left, full_s = str(only.remaining), -(-only.full_us // 1_000_000)
        return f'{claim.text}X-RateLimit-Remaining-{name}: {left}\r\nRateLimit: "{window.id}";r={left};t={full_s}\r\n'
    return claim.text + as_text(remaining_fields(states))


def _shared_names(windows: Sequence[Window]) -> set[str]:
    names = [window.name for window in windows if window.name]
    return {name for name in names if names.count(name) > 1} if len(names) > 1 else set()


def retry_after_s(states: Sequence[WindowState]) -> int:
    """Return the whole seconds, 1 or more and never before the next token, after which the call fits every window."""
    return max(1, _whole_s(max((state.retry_us for state in states), default=0)))


def _whole_s(us: int) -> int:
    """Return a duration in seconds, rounded up."""
    return -(-us // 1_000_000)
