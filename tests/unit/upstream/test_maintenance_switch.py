"""upstream/maintenance_switch.py: one switch for all processes of a node."""

import os

from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.upstream.maintenance_switch import LONGEST_MESSAGE_BYTES, MaintenanceSwitch


def test_it_is_off_at_first_and_keeps_its_notice() -> None:
    switch = MaintenanceSwitch()
    assert (switch.notice(), repr(switch)) == (None, "<MaintenanceSwitch off>")
    notice = MaintenanceNotice("Wir sind gleich zurück", 30, 1_800_000_000.5)
    switch.turn_on(notice)
    assert (switch.notice(), repr(switch)) == (notice, "<MaintenanceSwitch on>")
    switch.turn_on(MaintenanceNotice("short"))
    assert switch.notice() == MaintenanceNotice("short")
    switch.turn_off()
    assert switch.notice() is None


def test_a_message_that_is_too_long_is_cut_between_two_characters() -> None:
    switch = MaintenanceSwitch()
    switch.turn_on(MaintenanceNotice("é" * LONGEST_MESSAGE_BYTES))
    assert switch.notice() == MaintenanceNotice("é" * (LONGEST_MESSAGE_BYTES // 2))


def test_other_processes_see_it() -> None:
    switch = MaintenanceSwitch()
    if (child := os.fork()) == 0:
        switch.turn_on(MaintenanceNotice("from another process"))
        os._exit(0)
    os.waitpid(child, 0)
    assert switch.notice() == MaintenanceNotice("from another process")


def test_a_program_that_is_given_the_file_has_the_same_switch() -> None:
    switch = MaintenanceSwitch.shared()
    switch.turn_on(MaintenanceNotice("a release"))
    other = MaintenanceSwitch.opened(os.dup(switch.fd))
    assert other.notice() == MaintenanceNotice("a release")
    other.turn_off()
    assert switch.notice() is None


def test_the_file_of_another_release_is_not_read() -> None:
    strange = os.memfd_create("strange")
    switch = MaintenanceSwitch.opened(strange)
    assert switch.notice() is None
    assert switch.fd >= 0
