"""Puts memory that this process uses densely in huge pages.

What is known of a key lies on some ten pages. With thousands of active keys the processor has to look most of them up,
and in a virtual machine that takes a tenth of the time of a request.

The kernel does not do it by itself where `transparent_hugepage/enabled` is `madvise`, as it mostly is, and the mappings
of Python's allocator are too small for pages that are huge from the start.

Law: it takes no memory that is not in use already, but for a tenth at most. Pages that are shared with the process
that this one was forked from stay as they are.
"""

import contextlib
import ctypes
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

EVERY_S = 5.0
PAUSE_S = 0.001
"""Between two pages: the event loop waits for the interpreter when this thread has it, and for memory that is moved."""
DENSE = 0.9
"""The least part of a huge page that is in use already."""
_SETTINGS, _PROCESS = Path("/sys/kernel/mm/transparent_hugepage"), Path("/proc/self")
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p [0-9a-f]+ 00:00 0 *(?:\[heap\])?", re.ASCII)
_MADV_COLLAPSE = 25
"""Linux 6.1 and newer: https://man7.org/linux/man-pages/man2/madvise.2.html"""
_ENTRY_BYTES = 8
_OWN = 0x81
"""The highest byte of an entry of /proc/PID/pagemap for a page that is there, and in no other process."""
_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class HugePages:
    """Does it every `every_s` seconds, in a thread of its own, from `start` to `stop`."""

    def __init__(self, settings: Path = _SETTINGS, process: Path = _PROCESS, *, every_s: float = EVERY_S) -> None:
        self._huge_bytes = _huge_bytes(settings)
        self._process = process
        self._every_s = every_s
        self._stopping = threading.Event()
        self.made = 0
        """How many huge pages there were when it was done last."""

    def __repr__(self) -> str:
        return f"<HugePages {self.made} of {self._huge_bytes} bytes>"

    def start(self) -> None:
        """Begin, unless the system has none or wants none."""
        if self._huge_bytes:
            threading.Thread(target=self._run, name="huge-pages", daemon=True).start()

    def stop(self) -> None:
        """End, as soon as the huge page that is being made is there."""
        self._stopping.set()

    def _run(self) -> None:
        pause = self._stopping.wait
        with contextlib.suppress(OSError):  # this system does not show a process its pages
            while not pause(self._every_s):
                self.made = collapse(self._huge_bytes, lambda: pause(PAUSE_S), self._process)


def collapse(huge_bytes: int, pause: Callable[[], object], process: Path = _PROCESS) -> int:
    """Put what is dense in pages of `huge_bytes`, and return how many there are now.

    `pause` is called after each, and ends it by a true value. Raises OSError when `process` does not show its pages.
    """
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    pages, made = huge_bytes // page_bytes, 0
    with (process / "pagemap").open("rb", buffering=0) as pagemap:
        for at in _addresses(huge_bytes, process):
            entries = os.pread(pagemap.fileno(), pages * _ENTRY_BYTES, at // page_bytes * _ENTRY_BYTES)
            own = entries[_ENTRY_BYTES - 1 :: _ENTRY_BYTES].count(_OWN)
            if own >= pages * DENSE and not _madvise(at, huge_bytes, _MADV_COLLAPSE):
                made += 1
            if pause():
                break
    return made


def _addresses(huge_bytes: int, process: Path) -> Iterator[int]:
    """Yield the addresses of memory of this process alone that a huge page could have."""
    for line in (process / "maps").read_text().splitlines():
        if mapping := _MAPPING.fullmatch(line):
            begin, end = (int(each, 16) for each in mapping.groups())
            yield from range(-(-begin // huge_bytes) * huge_bytes, end - huge_bytes + 1, huge_bytes)


def _huge_bytes(settings: Path) -> int:
    """Return the size of huge pages; 0 where there are none, or none are wanted."""
    try:
        wanted = (settings / "enabled").read_text()
        return 0 if "[never]" in wanted else int((settings / "hpage_pmd_size").read_text())
    except (OSError, ValueError):
        return 0
