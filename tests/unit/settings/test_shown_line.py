"""settings/shown_line.py: one line, taken apart into what is shown of it."""

import pytest

from gateway.settings.disclosure import ROOT
from gateway.settings.shown_line import ShownLine, Within, end_of_quoted


def shown(text: str, within: Within | None = None) -> str:
    return "".join(piece for _, piece in ShownLine(text, within or Within(ROOT)).pieces())


@pytest.mark.parametrize(
    ("text", "quote", "end"),
    [('"a" b', '"', 3), ('"a\\" b"', '"', 7), ("'it''s' b", "'", 7), ("'open", "'", -1), ('"open\\', '"', -1)],
)
def test_the_end_of_a_quoted_scalar(text: str, quote: str, end: int) -> None:
    assert end_of_quoted(text, 0, quote) == end


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("version: 1  # a comment", "version: 1  "),
        ("# a comment", ""),
        ("include: [a.yaml, &b c]", "include: [a.yaml, &*** c]"),
        ("include: [&b?c d]", "include: [&***"),
        ("redis: {url: host:6379, password: x}", "redis: {url: host:6379, password: ***}"),
        ("redis: {url: hidden}", "redis: {url: ***}"),
        ("redis: {url: ${REDIS:-redis://u:p@h:1/0}}", "redis: {url: ${REDIS:-redis://***@h:1/0}"),
        ("admin: {token: ${TOKEN}}", "admin: {token: ${TOKEN}}"),
        ("admin: {token: 'never closed", "admin: {token: ***"),
        ("version:1", "version:***"),
        ("nobody:1", "***"),
        ("include: |", "include: |"),
        ("- x", "- ***"),
        ("keys: [{id: a, set: {X-A: b}}]", "keys: [{id: a, set: {X-A: ***}}]"),
    ],
)
def test_what_is_shown_of_a_line(text: str, result: str) -> None:
    assert shown(text) == result


def test_what_the_lines_below_stand_in() -> None:
    def below(text: str, within: Within | None = None) -> Within:
        line = ShownLine(text, within or Within(ROOT))
        list(line.pieces())
        return line.below()

    assert below("server:") == Within("server", "section")
    assert below("version: 1") == Within(ROOT)
    assert below("keys: [") == Within("keys", "section", "", in_list=True)
    assert below("redis: {url:") == Within("redis", "url")
    assert below("nobody:") == Within("nobody", "secret", "all")
    assert below("set:", Within("request")).seal == "values"
    assert below("- x", Within("keys")).parent == "keys"


def test_an_open_quote_and_an_open_bracket_are_known() -> None:
    line = ShownLine("include: ['a", Within(ROOT))
    list(line.pieces())
    assert (line.open_quote, line.is_open) == ("'", True)
