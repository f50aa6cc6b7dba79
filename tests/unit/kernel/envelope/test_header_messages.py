"""kernel/envelope/header_messages.py: rule 9."""

import json
import time
from typing import Any

import pytest

from gateway.kernel.envelope.header_messages import MOST_NOTICES, notices
from gateway.kernel.envelope.write import message_ids
from tests.samples import REQUEST_ID


def _read(*fields: tuple[str, str]) -> list[dict[str, Any]]:
    found = notices(
        [(name.lower().encode(), value.encode("latin-1")) for name, value in fields], message_ids(REQUEST_ID)
    )
    return [json.loads(message) for message in found]


DEPRECATED = "This part of the API is deprecated"
SUNSET = "This part of the API will cease to work"


@pytest.mark.parametrize(
    ("name", "value", "text", "date"),
    [
        ("Deprecation", "@1688169599", f"{DEPRECATED} as of 2023-06-30T23:59:59Z.", "2023-06-30T23:59:59Z"),
        ("Deprecation", "@1688169599;x=1", f"{DEPRECATED} as of 2023-06-30T23:59:59Z.", "2023-06-30T23:59:59Z"),
        ("Deprecation", "@999999999999999", f"{DEPRECATED}.", None),
        ("Deprecation", "true", f"{DEPRECATED}.", None),
        ("Deprecation", "?1", f"{DEPRECATED}.", None),
        (
            "Deprecation",
            "Sun, 11 Nov 2018 23:59:59 GMT",
            f"{DEPRECATED} as of 2018-11-11T23:59:59Z.",
            "2018-11-11T23:59:59Z",
        ),
        ("Sunset", "Sat, 31 Dec 2033 23:59:59 GMT", f"{SUNSET} on 2033-12-31T23:59:59Z.", "2033-12-31T23:59:59Z"),
        ("Sunset", "soon", f"{SUNSET}.", None),
        ("Warning", '299 - "Use v2"', "Use v2", None),
        (
            "Warning",
            '110 proxy "Response is \\"stale\\"" "Sun, 11 Nov 2018 23:59:59 GMT"',
            'Response is "stale"',
            "2018-11-11T23:59:59Z",
        ),
        ("Warning", "free text", "free text", None),
        ("Warning", "caf\xe9", "café", None),
    ],
)
def test_a_notice(name: str, value: str, text: str, date: str | None) -> None:
    (message,) = _read((name, value), ("Content-Type", "text/plain"))
    assert message["type"] == "WARNING"
    assert message["text"] == text
    assert message.get("date") == date
    assert message["id"] == message_ids(REQUEST_ID)()
    assert "links" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Deprecation", "false"),
        ("Deprecation", ""),
        ("Deprecation", "?0"),
        ("Sunset", ""),
        ("Warning", ""),
        ("Warning", '299 - ""'),
    ],
)
def test_nothing_to_say(name: str, value: str) -> None:
    assert _read((name, value)) == []


def test_several_in_one_field_and_of_every_kind() -> None:
    found = _read(
        ("Warning", '299 - "one", 299 x:1 "two"'),
        ("Sunset", "x"),
        ("Deprecation", "true"),
        ("Warning", '199 - "three"'),
    )
    assert [message["text"] for message in found] == [f"{DEPRECATED}.", f"{SUNSET}.", "one", "two", "three"]
    assert len({message["id"] for message in found}) == 5


def test_links_go_to_their_notice() -> None:
    link = '<https://x/d>; rel="deprecation alternate"; title="Why, \\"why\\"", </s>;rel=Sunset;type="text/html", <https://x/n>; rel=next'
    deprecation, sunset, warning = _read(
        ("Deprecation", "true"),
        ("Link", link),
        ("Link", '<>; rel="sunset", <https://x/2>; REL=sunset; rel=x'),
        ("Sunset", "x"),
        ("Warning", "w"),
    )
    assert deprecation["links"] == [{"href": "https://x/d", "title": 'Why, "why"'}]
    assert sunset["links"] == [{"href": "/s", "title": "Sunset"}, {"href": "https://x/2", "title": "Sunset"}]
    assert "links" not in warning


@pytest.mark.parametrize(
    "link",
    ["<", "<x", "<x>", "<x>;", '<x>; rel="', ";rel=sunset", "<x>" * 5000, "<x>; a=" * 5000, '<x>; a="' + "\\" * 5000],
)
def test_broken_links_are_no_links(link: str) -> None:
    (message,) = _read(("Sunset", "x"), ("Link", link))
    assert "links" not in message


def test_not_without_bound() -> None:
    assert len(_read(*[("Warning", "w")] * 99)) == MOST_NOTICES


@pytest.mark.parametrize("between", [" ", ",", " ,", "\t"])
def test_what_stands_between_warnings_costs_its_length(between: str) -> None:
    """A header section's worth of it: were it read once for every place it could begin at, this would take a minute."""
    began = time.process_time()
    (message,) = _read(("Warning", '199 a "t"' + between * (60_000 // len(between)) + "x"))
    assert message["text"] == "t"
    assert time.process_time() - began < 1


def test_of_endless_warnings_the_first_are_reported() -> None:
    found = _read(("Warning", ", ".join(['299 - "say \\"a\\\\\\""'] * 50)))
    assert [message["text"] for message in found] == ['say "a\\"'] * MOST_NOTICES
