"""The clock of the operating system."""

import time

from gateway.kernel.clock import Clock

SYSTEM_CLOCK = Clock(time.monotonic, time.time)
