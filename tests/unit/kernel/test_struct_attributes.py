"""kernel/struct_attributes.py: what is set is set, and every struct that uses it is known to the garbage collector."""

import gc

import msgspec
import pytest
from msgspec.structs import replace

from gateway.exchange import Exchange, Reply
from gateway.kernel.http.request_fields import RequestHeaders
from gateway.kernel.struct_attributes import set_as_slots
from gateway.upstream.call import Answer


@set_as_slots
class Point(msgspec.Struct):
    names: list[str]
    x: int = 0


def test_attributes_are_set_and_there_are_no_others() -> None:
    point = Point([])
    point.x = 3
    assert (point.x, replace(point, x=4).x) == (3, 4)
    with pytest.raises(AttributeError):
        point.y = 1  # type: ignore[attr-defined]


def test_those_that_use_it_are_known_to_the_garbage_collector_from_the_start() -> None:
    texts = ("", 0.0, "GET", "/", "", RequestHeaders.of(()), None, "", "", "http", "", "", "")
    for made in (Point([]), Exchange(*texts), Reply(200, [], b""), Answer(200, [], b"", None, None, "")):
        assert type(made).__setattr__ is object.__setattr__
        assert gc.is_tracked(made)
        assert gc.is_tracked(replace(made))
