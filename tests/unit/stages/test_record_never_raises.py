"""stages/record.py: whatever is wrong with an exchange, recording it raises nothing."""

import pytest
from structlog.testing import capture_logs

from tests.unit.stages.recording import Recording, served


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.mark.parametrize("part", ["count", "write", "keep", "log"])
def test_it_never_raises(recording: Recording, part: str) -> None:
    x = served()
    if part == "count":
        x.sent_bytes = "many"  # type: ignore[assignment]
    elif part == "write":
        assert x.reply is not None
        x.reply.status, x.reply.code = 400, 1 << 64
    elif part == "keep":
        assert x.answer is not None
        x.outcome, x.answer.target = "cut", 7  # type: ignore[assignment]
    else:
        x.started = "never"  # type: ignore[assignment]
        recording.recorder.bug = lambda *_: 1 / 0  # type: ignore[assignment, method-assign]
    with capture_logs() as logs:
        recording.record(x)
    assert [line["event"] for line in logs] == (["bug"] if part != "log" else [])
    assert recording.value("gateway_requests_unrecorded_total") == 1
