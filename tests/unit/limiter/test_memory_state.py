"""Buckets and meters on their way to another process, which may run another release."""

import msgspec

from gateway.kernel.limits.token_bucket import Window
from gateway.limiter.memory_quotas import Entries
from gateway.limiter.memory_state import SavedWindow, decode, encode

WINDOWS = [Window("minute", 300, 60_000_000, "Minute"), Window("w", 7, 9, None, "route", "any-window", True, "deny")]  # noqa: FBT003


def test_what_is_decoded_is_what_was_encoded() -> None:
    decoded = decode(encode(WINDOWS, [("{a}:minute", 5, 6), ((1, 200), 7, 8)], Entries({}, {})))
    assert [saved.window() for saved in decoded.windows] == WINDOWS
    assert decoded.entries == [("{a}:minute", 5, 6), ((1, 200), 7, 8)]
    assert decoded.meters == Entries({}, {})


def test_a_window_is_saved_whole() -> None:
    follow_from_the_others = ("burst", "emission_us", "full_us")
    assert (*SavedWindow.__struct_fields__, *follow_from_the_others) == Window.__struct_fields__


def test_members_are_named_and_unknown_ones_are_ignored() -> None:
    plain = msgspec.msgpack.decode(encode(WINDOWS, [], Entries({}, {})))
    assert plain["windows"][0]["per_us"] == 60_000_000
    plain["windows"][0]["full_us"] = plain["more"] = 1
    assert decode(msgspec.msgpack.encode(plain)).windows[0].window() == WINDOWS[0]
