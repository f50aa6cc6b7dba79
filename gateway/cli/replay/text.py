"""What a replay has found, as text."""

from collections.abc import Iterator

from gateway.dry_run.replay_summary import ChangedCalls, ReplaySummary


def text(found: ReplaySummary, most: int) -> str:
    """Return the changes, grouped by effect, `most` of them, and then the counts."""
    return "\n".join(_lines(found, most))


def _lines(found: ReplaySummary, most: int) -> Iterator[str]:
    effect = ""
    for change in found.changes[:most]:
        if change.effect != effect:
            effect = change.effect
            yield effect
        yield f"  {_line(change)}"
    if len(found.changes) > most:
        yield f"  … and {len(found.changes) - most} more"
    yield f"{_calls(found.calls)} replayed, {found.changed_calls} would meet something else"
    if found.unplayable:
        yield f"{_calls(found.unplayable)} left out: the log has no path, or no rule has decided about them"
    if found.other_lines:
        yield f"{found.other_lines} other lines left out"


def _line(change: ChangedCalls) -> str:
    who = f"key {change.key}" if change.key else "no key"
    limits = f" by {', '.join(change.limits)}" if change.limits else ""
    before = _met(change.route_before, change.status_before, change.reason_before)
    after = _met(change.route_after, change.status_after, change.reason_after)
    return (
        f"{_calls(change.calls)}: {change.method} by {who}: {before} -> {after}{limits} "
        f"(such as {change.example_path}, {change.example})"
    )


def _met(route: str | None, status: int | None, reason: str) -> str:
    where = "no route" if route is None else f"route {route}"
    if status is None:
        return where
    return f"{status} {reason}".rstrip() if route is None else f"{status} {reason}".rstrip() + f" on {where}"


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"
