"""upstream/call.py: what a call and an answer are before anything has happened to them."""

import gc

from gateway.kernel.traffic.retry import RetryBudget
from gateway.stages.prepare import prepare
from gateway.upstream.call import Answer, line_value
from tests.samples import Pieces, caller, exchange, route
from tests.unit.upstream.calls import call


def test_a_new_call_was_sent_to_nobody_and_belongs_to_nobody() -> None:
    new = call()
    assert (new.handed, new.caller, new.read_ahead_bytes) == (False, "", 0)


def test_an_answer_has_no_marks_before_its_fields_are_read() -> None:
    assert Answer(200, [], b"{}", None, 2, "orders:80").marks == 0


def test_a_call_is_sent_again_as_often_as_it_may_be() -> None:
    new = call()
    new.resends = 2
    assert [new.take_resend() for _ in range(3)] == [True, True, False]


def test_a_budget_bounds_that_for_all_calls_together() -> None:
    budget = RetryBudget(0.5)
    budget.called()
    first, second = call(), call()
    first.budget = second.budget = budget
    assert (first.take_resend(), second.take_resend()) == (True, False)
    assert (first.resends, second.resends) == (0, 1)


def test_the_value_of_a_line_of_a_head() -> None:
    head = (b"Accept: */*\r\nX-Request-Id: abc\r\n", b"X-Request-Id: d\r\n")
    assert (line_value(head, b"X-Request-Id"), line_value(head, b"Accept"), line_value((), b"X")) == ("abc", "*/*", "")


def test_the_garbage_collector_knows_a_call_that_forwards_what_arrives() -> None:
    whole, arrives = (prepare(exchange(), route(), caller(), "X-Request-Id", body) for body in (b"a", Pieces(b"a")))
    assert (gc.is_tracked(whole), gc.is_tracked(arrives)) == (False, True)
