"""kernel/traffic/maintenance.py: what callers are told, and for how long."""

import msgspec
import pytest

from gateway.kernel.faults import MAINTENANCE
from gateway.kernel.traffic.maintenance import MaintenanceNotice

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("notice", "retry_after_s"),
    [
        (MaintenanceNotice(), 60),
        (MaintenanceNotice(retry_after_s=5, until=NOW + 90), 5),
        (MaintenanceNotice(until=NOW + 89.5), 90),
        (MaintenanceNotice(until=NOW + 0.1), 1),
    ],
)
def test_when_to_come_back(notice: MaintenanceNotice, retry_after_s: int) -> None:
    error = notice.error({}, NOW)
    assert (error.fault, error.retry_after_s) == (MAINTENANCE, retry_after_s)


def test_the_message_takes_the_place_of_that_of_the_operators_row() -> None:
    faults = {"maintenance": msgspec.structs.replace(MAINTENANCE, message="Closed", code=7)}
    plain, special = MaintenanceNotice().error(faults, NOW).row, MaintenanceNotice("Back at 9").error(faults, NOW).row
    assert plain is not None
    assert special is not None
    assert (plain.message, plain.code) == ("Closed", 7)
    assert (special.message, special.code) == ("Back at 9", 7)


def test_it_ends_by_itself() -> None:
    assert MaintenanceNotice().in_force(NOW)
    assert MaintenanceNotice(until=NOW).in_force(NOW - 1)
    assert not MaintenanceNotice(until=NOW).in_force(NOW)
