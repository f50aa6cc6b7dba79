"""stages/record.py: which exchanges may be captured."""

import pytest

from gateway.exchange import Exchange, Outcome, Reply, ShowPath
from tests.unit.stages.recording import Recording, served


@pytest.mark.parametrize(
    ("status", "outcome", "shown"), [(200, "answered", False), (503, "answered", True), (200, "cut", True)]
)
def test_only_what_has_failed_may_be_captured(*, status: int, outcome: Outcome, shown: bool) -> None:
    recording, seen = Recording(), []

    def capture(x: Exchange, status: int, show_path: ShowPath) -> None:
        seen.append((status, show_path(x)))

    recording.recorder.capture = capture
    x = served(outcome=outcome, path="/v1/gw_" + "a1B2" * 10)
    x.reply = Reply(status, [], b"")
    recording.record(x)
    assert seen == ([(status, "/v1/gw_***")] if shown else [])
