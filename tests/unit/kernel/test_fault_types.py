"""The words that describe faults."""

from typing import get_args

from gateway.kernel.fault_types import FaultSource, ProxyStatus
from gateway.kernel.faults import CATALOGUE


def test_every_type_is_used() -> None:
    assert {fault.proxy_status for fault in CATALOGUE.values()} - {None} == set(get_args(ProxyStatus))
    assert {fault.source for fault in CATALOGUE.values()} == set(get_args(FaultSource))
