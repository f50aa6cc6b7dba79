"""dry_run/replay_summary.py: changes are counted for each key, route and limit."""

import msgspec

from gateway.dry_run.access_lines import CallOutcome, LoggedCall
from gateway.dry_run.replay import ReplayedCall
from gateway.dry_run.replay_summary import ReplayCounter, effect_of_call

SERVED, SPENT = CallOutcome("pets", None), CallOutcome("pets", 429, "rate_limited", ("minute",))


def replayed(before: CallOutcome, after: CallOutcome, key_id: str = "acme-ci", request_id: str = "a") -> ReplayedCall:
    call = LoggedCall(
        0.0,
        0.0,
        request_id,
        "GET",
        "/v1/pets",
        "",
        key_id,
        "",
        before,
        anonymous=False,
        limits_known=True,
        succeeded=True,
    )
    return ReplayedCall(call, before, after)


def test_effects() -> None:
    assert effect_of_call(replayed(SERVED, SPENT)) == "breaking"
    assert effect_of_call(replayed(SPENT, SERVED)) == "widening"
    assert effect_of_call(replayed(SERVED, CallOutcome("other", None))) == "other"
    assert effect_of_call(replayed(SPENT, CallOutcome(None, 404, "no_route"))) == "other"


def test_equal_changes_are_one_group() -> None:
    counter = ReplayCounter(most=3)
    counter.add(replayed(SERVED, SERVED))
    assert not counter.breaks
    for each in (
        replayed(SERVED, CallOutcome("other", None)),
        replayed(SERVED, SPENT, request_id="b"),
        replayed(SERVED, SPENT, key_id="other"),
        replayed(SERVED, SPENT, key_id="other"),
        replayed(SERVED, SPENT, key_id="third"),
    ):
        counter.add(each)
    found = counter.summary(unplayable=1, other_lines=2)
    assert (found.calls, found.changed_calls, found.unplayable, found.other_lines, counter.breaks) == (6, 5, 1, 2, True)
    assert [(each.effect, each.calls, each.key) for each in found.changes] == [
        ("breaking", 2, "other"),
        ("breaking", 1, "acme-ci"),
        ("other", 1, "acme-ci"),
    ]
    assert msgspec.to_builtins(found.changes[1]) == {
        "effect": "breaking",
        "calls": 1,
        "method": "GET",
        "key": "acme-ci",
        "route_before": "pets",
        "route_after": "pets",
        "status_before": None,
        "status_after": 429,
        "reason_before": "",
        "reason_after": "rate_limited",
        "limits": ("minute",),
        "example": "b",
        "example_path": "/v1/pets",
    }
