"""worker/capture.py: what captures as the configuration asks for, and who is asked about it."""

from gateway.capture.capturer import Capturer
from gateway.settings import parse
from gateway.stages.prepare import ReadAhead
from gateway.worker.capture import capture_of, captures_query
from tests.unit.capture.test_capturer import failed
from tests.unit.capture.test_captures import capture
from tests.yaml_files import LEAST


def test_nothing_is_captured_unless_it_is_asked_for() -> None:
    read_ahead = ReadAhead()
    assert capture_of(parse(LEAST), read_ahead)[1] is None
    assert read_ahead.kept_bytes == 0


async def test_what_was_captured_can_be_asked_for() -> None:
    config = parse(
        LEAST + "admin: {token: sesame}\nobservability: {capture: {on: [503], body: 1KiB, redact: [iban]}}\n"
    )
    read_ahead = ReadAhead()
    captures, capturer = capture_of(config, read_ahead)
    assert isinstance(capturer, Capturer)
    assert read_ahead.kept_bytes == capturer.kept_bytes > 1024
    x = failed(query="iban=hush&X-Api-Key=hush")
    capturer(x, 503, lambda _: "/v1")
    answer = captures_query(captures)
    found = captures.find(x.request_id)
    assert found is not None
    assert found.query == "iban=***&***"
    assert await answer({}) == (200, [found.summary])
    assert await answer({"id": x.request_id}) == (200, found)
    captures.keep(capture("other"))
    assert await answer({"id": "else"}) == (404, {"error": "nothing was captured of this request"})
