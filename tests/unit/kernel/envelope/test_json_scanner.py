"""kernel/envelope/json_scanner.py: passes what `is_json` passes, and nothing else, however it is cut."""

import json
from collections.abc import Iterable

import pytest

from gateway.kernel.envelope.json_scanner import LONGEST_TOKEN, WINDOW, Scanner, _open_after
from gateway.kernel.envelope.raw_json import is_json
from gateway.kernel.faults import UPSTREAM_BODY_INVALID, GatewayError

MANY = 3000
LARGE = {
    "rows": [{"id": i, "name": f"name {i}", "on": True, "v": i * 1.5} for i in range(MANY)],
    "nested": {"total": 1, "items": [{"id": i, "o": {"n": [1, 2, {"x": "},"}]}} for i in range(MANY)], "end": [1, {"a": 2}]},
    "uneven": [[], {"a": [[{"b": i} for i in range(MANY)], list(range(MANY))]}, {"c": {"d": {"e": ["x"] * MANY}}}, list(range(MANY))],
    "numbers": list(range(5 * MANY)),
    "strings": ['a, "quoted" \\ text, }] é 😀'] * MANY,
    "names": {f"name, {i}": {"a": i} for i in range(MANY)},
    "long string": {"a": 1, "data": "x" * (5 * WINDOW), "b": [1, 2]},
    "long name": {"k" * (5 * WINDOW): 1, "b": 2},
    "long escapes": ['\\"\n\u1234é😀' * (WINDOW // 12), 1],
    "only a string": "y" * (3 * WINDOW),
    "commas in a string": ["},],," * WINDOW, 1],
}  # fmt: skip
TEXTS = [
    (f"{name}, {spelling}", json.dumps(value, ensure_ascii=escaped, indent=indent).encode())
    for name, value in LARGE.items()
    for spelling, escaped, indent in (("ascii", True, None), ("utf-8", False, None), ("indented", True, 2))
]
EACH = pytest.mark.parametrize("text", [text for _, text in TEXTS], ids=[name for name, _ in TEXTS])


@EACH
@pytest.mark.parametrize("step", [WINDOW, 9973, 10 * WINDOW])
def test_valid(text: bytes, step: int) -> None:
    assert _passes(_cut(text, step))


@EACH
def test_one_byte_wrong_at_any_position(text: bytes) -> None:
    for at in range(0, len(text), len(text) // 7):
        for wrong in (b"\x00", b"\xff", b'"', b"]"):
            broken = text[:at] + wrong + text[at + 1 :]
            assert _passes(_cut(broken, WINDOW)) == is_json(broken)


@EACH
def test_incomplete_or_followed(text: bytes) -> None:
    for cut in (1, 2, len(text) // 2):
        assert not _passes(_cut(text[:-cut], 9973))
    for tail in (b"x", b",1", b"]", b"}", b'"', b"{}", b"\xef\xbb\xbf"):
        assert not _passes(_cut(text + tail, 9973))
    assert _passes(_cut(text + b" \r\n", 9973))


@pytest.mark.parametrize("text", [b"", b" ", b"{", b"NaN", b"[NaN]", b'"\xc3', b'{"a":1}x', b"[1,]"])
def test_small_and_invalid(text: bytes) -> None:
    assert not _passes([text])
    assert not _passes(_cut(text, 1))


@pytest.mark.parametrize("text", [b"{}", b"1", b' [1, 2, {"a": "\\ud800"}] ', '"é"'.encode(), b"[" * 900 + b"]" * 900])
def test_small_and_valid(text: bytes) -> None:
    assert _passes([text])
    assert _passes(_cut(text, 1))


@pytest.mark.parametrize(
    "start",
    [
        b"[1}," * WINDOW,
        b"[1]," * WINDOW,
        b"1," * WINDOW,
        b"[" * (3 * WINDOW) + b"1,",
        b"[" * (2 * WINDOW) + b"]" * (2 * WINDOW) + b"," * WINDOW,
        b'["' + b"\x01" * (3 * WINDOW),
        b'["' + b"\\x" * (2 * WINDOW),
        b"[" + b"9" * (LONGEST_TOKEN + 2 * WINDOW),
        b"[" + b" " * (LONGEST_TOKEN + 2 * WINDOW),
        b"[1 2" + b",3" * WINDOW,
    ],
    ids=lambda start: repr(start[:9]),
)
def test_refused_before_the_end(start: bytes) -> None:
    scanner = Scanner()
    with pytest.raises(GatewayError) as refused:
        scanner.feed(start * 4)
    assert refused.value.fault is UPSTREAM_BODY_INVALID


def test_deep_nesting_across_windows() -> None:
    text = b'[{"a":' * 450 + b"[" + b'{"n":[1,2]},' * 20_000 + b"0]" + b"}]" * 450
    assert _passes(_cut(text, 30_000))
    assert not _passes(_cut(text[:-1] + b"}", 30_000))


def test_memory_stays_constant() -> None:
    scanner = Scanner()
    scanner.feed(b'{"first":[' + b"1," * 10)
    for _ in range(100):
        scanner.feed(b'{"text":"some, text","n":[1,2,3]},' * 2000)
        assert len(scanner._pending) < 3 * WINDOW
    scanner.feed(b'"')
    for _ in range(100):
        scanner.feed(rb"long \n string \u00e9" * 3000)
        assert len(scanner._pending) < 3 * WINDOW
    scanner.feed(b'"]}')
    scanner.finish()


def _cut(text: bytes, step: int) -> list[bytes]:
    return [text[at : at + step] for at in range(0, len(text), step)]


def _passes(pieces: Iterable[bytes]) -> bool:
    scanner = Scanner()
    try:
        for piece in pieces:
            scanner.feed(piece)
        scanner.finish()
    except GatewayError:
        return False
    return True


DEEP_NESTS = {
    "ragged": b"[" + (b"[" * 40 + b"0" + b",[0" * 20 + b"]" * 20 + b"]" * 40 + b",") * 3000 + b"0]",
    "objects": b"[" + (b'{"":' * 60 + b"[0,0]" + b"}" * 60 + b",") * 1500 + b"0]",
    "both": b"[" + (b'[{"a":[' * 30 + b"0,0" + b"]}]" * 30 + b",") * 1500 + b"0]",
    "left open": b"[0," * 60 + (b"[" * 40 + b"0,0" + b"]" * 40 + b",") * 3000 + b"0" + b"]" * 60,
}


@pytest.mark.parametrize("kind", DEEP_NESTS)
def test_deep_nests(kind: str) -> None:
    text = DEEP_NESTS[kind]
    assert is_json(text)
    assert _passes(_cut(text, WINDOW))
    assert not _passes(
        _cut(text.replace(b"]" * 20, b"]" * 19 + b"}", 1) if b"]" * 20 in text else text.replace(b"}", b"]", 1), WINDOW)
    )
    assert not _passes(_cut(text + b"]" * 40, WINDOW))


def test_brackets_left_over() -> None:
    assert _open_after(b"[", b"[" * 20 + b"]" * 20) == b"["
    assert _open_after(b"[", b"{[" * 20 + b"]}" * 18) == b"[{[{["
    assert _open_after(b"[", b"{[" * 20 + b"]}" * 17 + b"]]") is None
    assert _open_after(b"[", b"{[" * 20 + b"]}" * 20 + b"]]") is None
    assert _open_after(b"[", b"[[[[" * 20 + b"{}" + b"]" * 79) == b"[["
