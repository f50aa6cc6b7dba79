"""cli/replay/text.py: changes as lines, grouped by effect."""

from gateway.cli.replay.text import text
from gateway.dry_run.access_lines import CallOutcome
from gateway.dry_run.replay_summary import ReplayCounter
from tests.unit.dry_run.test_replay_summary import SERVED, SPENT, replayed


def test_changes_by_effect() -> None:
    counter = ReplayCounter()
    counter.add(replayed(SERVED, SPENT))
    counter.add(replayed(SERVED, CallOutcome(None, 404, "no_route"), key_id=""))
    counter.add(replayed(CallOutcome("pets", 403, "route_forbidden"), SERVED))
    assert text(counter.summary(1, 0), 50).split("\n") == [
        "breaking",
        "  1 call: GET by key acme-ci: route pets -> 429 rate_limited on route pets by minute (such as /v1/pets, a)",
        "  1 call: GET by no key: route pets -> 404 no_route (such as /v1/pets, a)",
        "widening",
        "  1 call: GET by key acme-ci: 403 route_forbidden on route pets -> route pets (such as /v1/pets, a)",
        "3 calls replayed, 3 would meet something else",
        "1 call left out: the log has no path, or no rule has decided about them",
    ]
    assert text(counter.summary(0, 0), 1).split("\n")[2] == "  … and 2 more"


def test_lines_that_are_no_calls_are_counted() -> None:
    assert text(ReplayCounter().summary(0, 3), 50).split("\n")[-1] == "3 other lines left out"
