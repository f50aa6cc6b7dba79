"""edge/plain_request.py reads what it takes exactly as the parser does, and takes nothing that the parser refuses."""

from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.hostile_framing import CHUNKING, FRAMING
from tests.contracts.hostile_heads import HEADS
from tests.contracts.hostile_mixes import MIXES
from tests.contracts.hostile_targets import TARGETING
from tests.parser_reading import compare


def test_hostile_requests_are_left_to_the_parser_or_read_alike() -> None:
    taken = [compare(variant.raw) for variant in (*FRAMING, *CHUNKING, *HEADS, *MIXES, *TARGETING)]
    assert any(taken)
    assert not all(taken)


NAMES = st.sampled_from(
    ["Accept", "X-A", "x-a", "User-Agent", "Host", "Connection", "Content-Length", "Cookie", "Transfer-Encoding", "TE"]
)
ODD_NAMES = st.text(st.characters(max_codepoint=255), max_size=5)
VALUES = st.one_of(
    st.sampled_from(
        ["", "a", "keep-alive", "close", "Close", "upgrade", "0", "3", "+3", "03", "chunked", " a", "a ", "a\t"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=6),
)
SEPARATORS = st.sampled_from([": ", ": ", ": ", ":", " : ", ":  ", "", "; "])
ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ", "\r\r\n"])
TARGETS = st.one_of(
    st.sampled_from(["/", "/a?b=c", "//a", "*", "http://h/a", "/a#b", "/a b", "/\x7f", "/é", "/%2e", '/"', "/|"]),
    st.text(st.characters(max_codepoint=255), max_size=6),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(["GET", "GET", "POST", "get", "OPTIONS", "CONNECT", "PRI", "TRACE", "FOO"]))
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "http/1.1", ""]))
    space = draw(st.sampled_from([" ", " ", " ", "  ", "\t"]))
    lines = [f"{method}{space}{draw(TARGETS)} {version}", draw(ENDS)]
    fields = draw(st.lists(st.tuples(st.one_of(NAMES, NAMES, ODD_NAMES), SEPARATORS, VALUES, ENDS), max_size=5))
    for name, separator, value, end in [("Host", ": ", "h", "\r\n"), *fields]:
        lines += [name, separator, value, end]
    return ("".join(lines) + draw(ENDS) + draw(st.sampled_from(["", "", "abc", "\r\n", "GET"]))).encode("latin-1")


@given(requests())
def test_any_request_is_left_to_the_parser_or_read_alike(data: bytes) -> None:
    compare(data)
