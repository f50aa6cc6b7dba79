"""The cases of the W3C's test suite for trace context that concern traceparent.

They are those of https://github.com/w3c/trace-context/blob/main/test/test.py.
"""

import os

import pytest

from gateway.kernel.ids import Ids
from gateway.observe.trace import join

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.fixture
def ids() -> Ids:
    return Ids(os.urandom)


def begin(ids: Ids) -> str:
    """The `traceparent` of a trace that begins."""
    return ids.begin()[0]


def begun(header: str | None, ids: Ids) -> bool:
    out = join(header, begin(ids))
    version, trace, parent, flags = out.split("-")
    assert (version, flags) == ("00", "02")
    assert len(parent) == 16
    return trace != TRACE


@pytest.mark.parametrize(
    ("flags", "sent"), [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("fc", "00")]
)
def test_a_valid_parent_is_continued_with_a_span_of_ours(ids: Ids, flags: str, sent: str) -> None:
    version, trace, parent, out_flags = join(f"00-{TRACE}-{PARENT}-{flags}", begin(ids)).split("-")
    assert (version, trace, out_flags) == ("00", TRACE, sent)
    assert parent != PARENT
    assert len(parent) == 16
    assert set(parent) <= set("0123456789abcdef")


@pytest.mark.parametrize("version", ["01", "cc", "fe"])
@pytest.mark.parametrize("rest", ["", "-", "-what-the-future-will-be-like"])
def test_a_later_version_is_read_as_ours(ids: Ids, version: str, rest: str) -> None:
    out = join(f"{version}-{TRACE}-{PARENT}-01{rest}", begin(ids))
    assert out.startswith(f"00-{TRACE}-")
    assert out.endswith("-01")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01.",
        f"01-{TRACE}-{PARENT}-01.",
        f"01-{TRACE}-{PARENT}-012",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT.upper()}-01",
        f"00-{TRACE}-{PARENT}-0A",
        f"CC-{TRACE}-{PARENT}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT[:-1]}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE[:-1]}.-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f"0-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE[:-1]}\u0663-{PARENT}-01",
    ],
)
def test_anything_else_begins_a_trace(ids: Ids, header: str | None) -> None:
    assert begun(header, ids)


def test_every_trace_begun_is_another(ids: Ids) -> None:
    assert len({join(None, begin(ids)) for _ in range(1000)}) == 1000


def test_the_flags_of_a_trace_that_begins_say_whether_it_is_sampled() -> None:
    every = Ids(os.urandom, 1.0)
    assert join(None, begin(every)).endswith("-03")
    assert join(f"00-{TRACE}-{PARENT}-00", begin(every)).endswith("-00")
