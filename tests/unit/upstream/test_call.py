"""upstream/call.py: what a call and an answer are before anything has happened to them."""

from gateway.upstream.call import Answer
from tests.unit.upstream.calls import call


def test_a_new_call_was_sent_to_nobody_and_belongs_to_nobody() -> None:
    new = call()
    assert (new.handed, new.caller, new.read_ahead_bytes) == (False, "", 0)


def test_an_answer_has_no_marks_before_its_fields_are_read() -> None:
    assert Answer(200, [], b"{}", None, 2, "orders:80").marks == 0
