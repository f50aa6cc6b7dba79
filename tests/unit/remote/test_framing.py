"""remote/framing.py: what llhttp does not decide."""

import pytest

from gateway.remote import framing


@pytest.mark.parametrize(
    ("content_type", "streamed"),
    [
        (b"application/json", False),
        (b"text/plain", False),
        (b"", False),
        (b"text/event-stream; charset=utf-8", True),
        (b"image/png", True),
        (b"application/octet-stream", True),
    ],
)
def test_events_and_binary_data_are_never_held_back(content_type: bytes, streamed: bool) -> None:
    assert framing.is_streamed([(b"server", b"x"), (b"content-type", content_type)]) is streamed
