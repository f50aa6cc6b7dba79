"""kernel/limits/ratelimit_headers.py: what replies say about limits."""

import msgspec

from gateway.kernel.limits.ratelimit_headers import limit_fields, limit_text, remaining_fields, retry_after_s
from gateway.kernel.limits.token_bucket import Window, WindowState, claim

MINUTE = Window("minute", 300, 60_000_000, "Minute")
ODD = Window("burst", 5, 500_000, None)


def test_without_limits_there_are_no_fields() -> None:
    assert limit_fields(()) == ()
    assert remaining_fields(()) == []
    assert retry_after_s(()) == 1


def test_named_windows_have_fields_of_their_own_and_all_stand_in_the_ietf_fields() -> None:
    assert limit_fields((MINUTE, ODD)) == (
        ("X-RateLimit-Limit-Minute", "300"),
        ("RateLimit-Policy", '"minute";q=300;w=60, "burst";q=5;w=1'),
    )
    states = (WindowState(MINUTE, 299, 200_000, 0), WindowState(ODD, 0, 500_000, 100_000))
    assert remaining_fields(states) == [
        ("X-RateLimit-Remaining-Minute", "299"),
        ("RateLimit", '"minute";r=299;t=1, "burst";r=0;t=1'),
    ]


def test_retry_after_is_whole_seconds_of_the_slowest_window() -> None:
    assert retry_after_s((WindowState(ODD, 0, 500_000, 100_000),)) == 1
    assert retry_after_s((WindowState(MINUTE, 0, 60_000_000, 3_200_000), WindowState(ODD, 0, 500_000, 100_000))) == 4


def test_of_two_windows_of_one_name_the_tighter_one_speaks() -> None:
    shared = Window("organization/minute", 1000, 60_000_000, "Minute", "organization")
    assert limit_fields((MINUTE, shared)) == (
        ("RateLimit-Policy", '"minute";q=300;w=60, "organization/minute";q=1000;w=60'),
    )
    for own, theirs, limit, remaining in ((5, 9, "300", "5"), (9, 5, "1000", "5"), (0, 0, "1000", "0")):
        fields = dict(
            remaining_fields((WindowState(MINUTE, own, 1_000_000, 0), WindowState(shared, theirs, 2_000_000, 0)))
        )
        assert fields["X-RateLimit-Limit-Minute"] == limit
        assert fields["X-RateLimit-Remaining-Minute"] == remaining
        assert fields["RateLimit"] == f'"minute";r={own};t=1, "organization/minute";r={theirs};t=2'


def test_one_window_alone_has_the_same_fields() -> None:
    state = WindowState(MINUTE, 299, 200_000, 0)
    assert remaining_fields((state,)) == [("X-RateLimit-Remaining-Minute", "299"), ("RateLimit", '"minute";r=299;t=1')]


def test_the_fields_as_text() -> None:
    one = WindowState(MINUTE, 299, 200_000, 0)
    unnamed = WindowState(msgspec.structs.replace(MINUTE, name=None), 5, 200_000, 0)
    for states in ((), (one,), (unnamed,), (one, unnamed)):
        made = claim("k1", [state.window for state in states], fields=limit_fields([state.window for state in states]))
        fields = [*made.fields, *remaining_fields(states)]
        assert limit_text(made, states) == "".join(f"{name}: {value}\r\n" for name, value in fields)
