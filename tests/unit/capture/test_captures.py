import msgspec

from gateway.capture.captures import Capture, CapturedMessage, Captures, CaptureSummary


def capture(request_id: str, path: str = "/") -> Capture:
    return Capture(CaptureSummary(1.0, request_id, "t", 503, "GET", "answered"), CapturedMessage([]), path)


def kept(captures: Captures) -> list[str]:
    return [summary.request_id for summary in captures.summaries()]


def test_the_newest_are_kept() -> None:
    captures = Captures(most=2)
    for name in ("a", "b", "c"):
        captures.keep(capture(name))
    assert kept(captures) == ["b", "c"]
    assert captures.find("a") is None
    assert captures.find("c") == capture("c")


def test_their_bytes_are_bounded() -> None:
    size = len(msgspec.json.encode(capture("a", "x" * 100)))
    captures = Captures(most_bytes=2 * size)
    for name in ("a", "b", "c"):
        captures.keep(capture(name, "x" * 100))
    assert kept(captures) == ["b", "c"]
    assert repr(captures) == f"<Captures 2 of {2 * size} bytes>"
    captures.keep(capture("d", "x" * 3 * size))
    assert kept(captures) == []
    assert repr(captures) == "<Captures 0 of 0 bytes>"


def test_the_newest_capture_of_a_request_is_found() -> None:
    captures = Captures()
    captures.keep(capture("a", "/old"))
    captures.keep(capture("a", "/new"))
    assert captures.find("a") == capture("a", "/new")
