import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.http.path_patterns import Param, Rest, Segment, parse, parse_prefix


@pytest.mark.parametrize(
    ("pattern", "segments"),
    [
        ("/", ("",)),
        ("/a", ("a",)),
        ("/a/", ("a", "")),
        ("/v1/encodings/{id}", ("v1", "encodings", Param("id"))),
        ("/v1/{rest*}", ("v1", Rest("rest"))),
        ("/{a}/b/{_c2}", (Param("a"), "b", Param("_c2"))),
        ("/caf%C3%A9", ("café",)),
        ("/café", ("café",)),
        ("/a%20b", ("a b",)),
        ("/100%25", ("100%",)),
        ("/...", ("...",)),
        ("/a:b@c=d,e", ("a:b@c=d,e",)),
    ],
)
def test_patterns_are_sequences_of_segments(pattern: str, segments: tuple[Segment, ...]) -> None:
    assert parse(pattern) == segments


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("", "a path starts with `/`"),
        ("a/b", "a path starts with `/`"),
        ("//", "`//` never reaches a route"),
        ("/a//b", "`//` never reaches a route"),
        ("/a/./b", "dot segments never reach a route"),
        ("/a/..", "dot segments never reach a route"),
        ("/%2e%2E/a", "dot segments never reach a route"),
        ("/a?b=c", "a pattern has no query"),
        ("/a#b", "a pattern has no fragment"),
        ("/a\\b", "a backslash never reaches a route"),
        ("/a;b=c", "path parameters (`;`) never reach a route"),
        ("/a/*", "a wildcard is written `{rest*}`"),
        ("/a%2Fb", "an encoded slash only matches a parameter"),
        ("/a%5Cb", "an encoded slash only matches a parameter"),
        ("/a%3Bb", "an encoded semicolon only matches a parameter"),
        ("/a%zz", "`%` stands before two hexadecimal digits"),
        ("/a%4", "`%` stands before two hexadecimal digits"),
        ("/%ff", "percent-encoded bytes are UTF-8"),
        ("/a b", "spaces are written `%20`, and control characters never reach a route"),
        ("/a%00", "spaces are written `%20`, and control characters never reach a route"),
        ("/{}", "`{}` is not a parameter; a whole segment is `{name}`, or `{name*}` at the end"),
        ("/{a-b}", "`{a-b}` is not a parameter; a whole segment is `{name}`, or `{name*}` at the end"),
        ("/x{a}", "`x{a}` is not a parameter; a whole segment is `{name}`, or `{name*}` at the end"),
        ("/{a", "`{a` is not a parameter; a whole segment is `{name}`, or `{name*}` at the end"),
        ("/{1}", "`{1}` is not a parameter; a whole segment is `{name}`, or `{name*}` at the end"),
        ("/{a}/{a}", "`{a}` stands here twice"),
        ("/{rest*}/b", "`{…*}` takes everything that is left, so nothing may follow it"),
        ("/{rest*}/", "`{…*}` takes everything that is left, so nothing may follow it"),
    ],
)
def test_what_could_never_match_or_in_two_ways_is_refused(pattern: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        parse(pattern)


@pytest.mark.parametrize(("prefix", "segments"), [("/", ()), ("/v1", ("v1",)), ("/v1/caf%c3%a9", ("v1", "café"))])
def test_prefixes_are_literal(prefix: str, segments: tuple[str, ...]) -> None:
    assert parse_prefix(prefix) == segments


@pytest.mark.parametrize(
    ("prefix", "complaint"),
    [
        ("/v1/", "a prefix has no slash at its end; it means this path and everything below it"),
        ("/v1/{id}", "a prefix has no parameters; use `path` with `{rest*}` at its end"),
        ("v1", "a path starts with `/`"),
    ],
)
def test_what_is_no_prefix_is_refused(prefix: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        parse_prefix(prefix)


@given(st.text(alphabet="/{}*ab%2eEfF.;\\é \x00"))
def test_arbitrary_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        segments = parse("/" + text)
    except ValueError:
        return
    assert "" not in segments[:-1]
    assert not {".", ".."} & set(segments)
