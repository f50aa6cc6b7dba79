"""The words and codes that describe faults."""

from typing import get_args

from gateway.kernel.fault_types import MESSAGES, FaultSource, ProxyStatus
from gateway.kernel.faults import CATALOGUE


def test_every_type_is_used() -> None:
    assert {fault.proxy_status for fault in CATALOGUE.values()} - {None} == set(get_args(ProxyStatus))
    assert {fault.source for fault in CATALOGUE.values()} == set(get_args(FaultSource))


def test_messages_are_those_of_the_codes() -> None:
    assert {fault.message for fault in CATALOGUE.values()} == {MESSAGES[fault.code] for fault in CATALOGUE.values()}
