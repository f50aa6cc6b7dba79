"""Whether all services are under maintenance, in memory that all processes of a node share.

The supervisor writes it and workers read it: it holds for all of them at once, without a reload, for workers that are
started later, and for a new release that takes over.

    on (u8) · seconds for Retry-After (u32) · end in Unix time (f64) · length of the message (u16) · message in UTF-8
"""

import mmap
import os
import struct
from collections.abc import Mapping

from gateway.kernel.faults import Fault, GatewayError
from gateway.kernel.traffic.maintenance import MaintenanceNotice

LONGEST_MESSAGE_BYTES = 1024
_FORM = struct.Struct("<BIdH")
_SIZE = _FORM.size + LONGEST_MESSAGE_BYTES


class MaintenanceSwitch:
    """On or off. The first byte of `memory` is 1 while it is on."""

    def __init__(self, fd: int = -1) -> None:
        """`fd` is a file of `_SIZE` bytes with the state, -1 for memory of this process and its children alone."""
        self.memory = mmap.mmap(fd, _SIZE)
        self.fd = fd

    @classmethod
    def shared(cls) -> "MaintenanceSwitch":
        """Return one whose file other programs can be given."""
        fd = os.memfd_create("maintenance")
        os.ftruncate(fd, _SIZE)
        return cls(fd)

    @classmethod
    def opened(cls, fd: int) -> "MaintenanceSwitch":
        """Return one with the state in `fd`; a new one for a file of another release, in another form."""
        if os.fstat(fd).st_size == _SIZE:
            return cls(fd)
        os.close(fd)
        return cls.shared()

    def __repr__(self) -> str:
        return f"<MaintenanceSwitch {'on' if self.memory[0] else 'off'}>"

    def turn_on(self, notice: MaintenanceNotice) -> None:
        """Only the beginning of a message that is too long is kept."""
        message = notice.message.encode()[:LONGEST_MESSAGE_BYTES].decode(errors="ignore").encode()
        self.memory[0] = 0
        self.memory[_FORM.size : _FORM.size + len(message)] = message
        self.memory[1 : _FORM.size] = _FORM.pack(0, notice.retry_after_s or 0, notice.until or 0.0, len(message))[1:]
        self.memory[0] = 1

    def turn_off(self) -> None:
        self.memory[0] = 0

    def refusal(
        self, of_route: MaintenanceNotice | None, faults: Mapping[str, Fault], wall_s: float
    ) -> GatewayError | None:
        """Return the refusal of a call while this is on, or while the notice of a route is in force; else None."""
        for notice in (self.notice(), of_route):
            if notice is not None and notice.in_force(wall_s):
                return notice.error(faults, wall_s)
        return None

    def notice(self) -> MaintenanceNotice | None:
        """Return what callers are told, None while it is off."""
        on, retry_after_s, until, length = _FORM.unpack_from(self.memory)
        if not on:
            return None
        message = self.memory[_FORM.size : _FORM.size + length].decode(errors="replace")
        return MaintenanceNotice(message, retry_after_s or None, until or None)
