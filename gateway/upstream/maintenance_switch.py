"""Whether all services are under maintenance, in memory that all processes of a node share.

The supervisor writes it and workers read it: it holds for all of them at once, without a reload, and for workers that
are started later.

    on (u8) · seconds for Retry-After (u32) · end in Unix time (f64) · length of the message (u16) · message in UTF-8
"""

import mmap
import struct

from gateway.kernel.traffic.maintenance import MaintenanceNotice

LONGEST_MESSAGE_BYTES = 1024
_FORM = struct.Struct("<BIdH")


class MaintenanceSwitch:
    """On or off. The first byte of `memory` is 1 while it is on."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, _FORM.size + LONGEST_MESSAGE_BYTES)

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

    def notice(self) -> MaintenanceNotice | None:
        """Return what callers are told, None while it is off."""
        on, retry_after_s, until, length = _FORM.unpack_from(self.memory)
        if not on:
            return None
        message = self.memory[_FORM.size : _FORM.size + length].decode(errors="replace")
        return MaintenanceNotice(message, retry_after_s or None, until or None)
