"""kernel/http/request_fields.py: fields by name, and what is remembered about their names."""

from gateway.kernel.http.request_fields import NO_KEY, FieldShape, RequestHeaders, may_be_remembered
from tests.samples import known_lines

FIELDS = RequestHeaders.of([(b"Host", b"h"), (b"X-A", b"1"), (b"x-a", b"\xc3\xa9\xff")])


def test_names_are_compared_without_regard_to_case() -> None:
    assert FIELDS.get("x-A") == "1"
    assert FIELDS.getall("X-A", []) == ["1", "é\udcff"]
    assert "HOST" in FIELDS
    assert FIELDS.raw == ((b"Host", b"h"), (b"X-A", b"1"), (b"x-a", b"\xc3\xa9\xff"))


def test_a_field_that_is_not_there_has_no_value() -> None:
    assert FIELDS.get("X-B") is None
    assert FIELDS.getall("X-B", ["none"]) == ["none"]
    assert "X-B" not in FIELDS
    assert 1 not in FIELDS


def test_text_and_bytes_make_the_same_fields() -> None:
    text = RequestHeaders.of_text([("Host", "h"), ("X-A", "1"), ("x-a", "é\udcff")])
    assert text.raw == FIELDS.raw
    assert text.shape is FIELDS.shape


def test_a_shape_knows_the_position_of_a_field_that_is_there_once() -> None:
    shape = FIELDS.shape
    assert (shape.only("host"), shape.only("x-a"), shape.only("x-b")) == (0, -1, -1)


def test_a_shape_knows_whether_a_request_is_conditional() -> None:
    assert not FIELDS.shape.conditional
    assert FieldShape.of((b"Host", b"If-None-Match")).conditional
    assert FieldShape.of((b"RANGE",)).conditional


def test_the_key_is_read_from_lines_where_its_place_is_known() -> None:
    lines = known_lines(("X-Api-Key", "secret"))
    assert lines.facts is not None
    assert (FIELDS.known_keys(), lines.known_keys()) == ([], [])
    assert lines.lines[slice(*NO_KEY)] == b"\r"
    lines.facts.note(key_at=11, key_end=17)
    lines.facts.digest = b"digest"
    assert lines.known_keys() == ["secret"]


def test_very_many_names_are_not_remembered() -> None:
    many = tuple(b"X-%d" % number for number in range(65))
    assert not may_be_remembered(many)
    assert not may_be_remembered((b"a" * 1025,))
    assert FieldShape.of(many) is not FieldShape.of(many)
    assert FieldShape.of((b"Host",)) is FieldShape.of((b"Host",))


def test_where_lines_begin_and_end() -> None:
    headers = known_lines(("Host", "h"), ("X-Api-Key", "k: v"), ("X-More", "m"))
    lines = [headers.lines[at:end] for at, end in headers.line_bounds()]
    assert lines == [b"Host: h\r\n", b"X-Api-Key: k: v\r\n", b"X-More: m\r\n"]
    assert headers.values == [b"h", b"k: v", b"m"]


def test_what_is_shown_of_fields_has_no_values() -> None:
    assert repr(FIELDS) == "<RequestHeaders 3 fields>"
