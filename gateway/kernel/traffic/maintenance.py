"""Maintenance: calls are answered 503 until it is over."""

import math
from collections.abc import Mapping

import msgspec

from gateway.kernel.faults import MAINTENANCE, Fault, GatewayError


class MaintenanceNotice(msgspec.Struct, frozen=True):
    """What callers are told. `message` "" is that of the catalogue. `until` is Unix time, None for an open end.

    `retry_after_s` None is the time until `until`, or a minute.
    """

    message: str = ""
    retry_after_s: int | None = None
    until: float | None = None

    def in_force(self, wall_s: float) -> bool:
        return self.until is None or wall_s < self.until

    def error(self, faults: Mapping[str, Fault], wall_s: float) -> GatewayError:
        """Return the error for a call. `faults` is the catalogue with the operator's overrides."""
        row = faults.get(MAINTENANCE.name, MAINTENANCE)
        if self.message:
            row = msgspec.structs.replace(row, message=self.message)
        seconds = self.retry_after_s
        if seconds is None:
            seconds = 60 if self.until is None else math.ceil(self.until - wall_s)
        return GatewayError(MAINTENANCE, row=row, retry_after_s=max(1, seconds))
