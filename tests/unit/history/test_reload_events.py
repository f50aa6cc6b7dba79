"""history/reload_events.py: the last reloads and what they changed."""

from gateway.history.reload_events import KEPT, MOST_CHANGES, ReloadEvents, differences
from gateway.settings import parse
from tests.yaml_files import LEAST


def test_reloads_are_kept_with_their_problems_or_their_changes() -> None:
    events = ReloadEvents(1000.0)
    found = differences(parse(LEAST), parse(LEAST + "organizations: [{id: acme}, {id: umbrella}]\n"))
    assert [(each.kind, each.name, each.effect) for each in found] == [
        ("organization", "acme", "other"),
        ("organization", "umbrella", "other"),
    ]
    events.refused(1001.0, ["gateway.yaml:1:1: error: nonsense"])
    events.succeeded(1002.0, found * MOST_CHANGES)
    assert [(each.at, each.result, len(each.changes), each.changed) for each in events.events] == [
        (1000.0, "started", 0, 0),
        (1001.0, "failure", 0, 0),
        (1002.0, "success", MOST_CHANGES, 2 * MOST_CHANGES),
    ]
    for _ in range(KEPT):
        events.refused(1003.0, [])
    assert (len(events.events), events.events[0].result) == (KEPT, "failure")
    assert repr(events) == f"<ReloadEvents {KEPT}>"


def test_what_has_not_changed_is_no_difference() -> None:
    assert differences(parse(LEAST), parse(LEAST)) == []
