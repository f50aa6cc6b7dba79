"""system/huge_pages.py: what is dense gets huge pages, and nothing takes more memory for it."""

import ctypes
import mmap
import os
import threading
from pathlib import Path

import pytest

from gateway.system.huge_pages import HugePages, collapse
from tests.fakes import until

HUGE = 2 << 20
PAGE = mmap.PAGESIZE


class Memory:
    """Anonymous memory of four huge pages, of which `used` pages of each eight were written to."""

    def __init__(self, used: int) -> None:
        self.map = mmap.mmap(-1, 6 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.at = -(-begin // HUGE) * HUGE
        for page in range(4 * HUGE // PAGE):
            if page % 8 < used:
                self.map[self.at - begin + page * PAGE] = 1

    def resident(self) -> int:
        """How many of its pages take memory."""
        with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
            entries = os.pread(pagemap.fileno(), 4 * HUGE // PAGE * 8, self.at // PAGE * 8)
        return sum(each >= 0x80 for each in entries[7::8])


def can_collapse() -> bool:
    """Whether the kernel does it when it is asked."""
    memory = Memory(8)
    failed: int = ctypes.CDLL(None).madvise(ctypes.c_void_p(memory.at), ctypes.c_size_t(HUGE), 25)
    return not failed


def test_dense_memory_gets_huge_pages_and_other_memory_does_not() -> None:
    dense, sparse = Memory(8), Memory(6)
    pages = 4 * HUGE // PAGE
    assert (dense.resident(), sparse.resident()) == (pages, pages * 6 // 8)
    assert (collapse(HUGE, lambda: False) >= 4) is can_collapse()
    assert (dense.resident(), sparse.resident()) == (pages, pages * 6 // 8)


def test_it_ends_when_that_is_wanted() -> None:
    calls: list[int] = []

    def pause() -> bool:
        calls.append(1)
        return True

    Memory(8)
    assert collapse(HUGE, pause) <= 1
    assert calls == [1]


@pytest.mark.parametrize(
    ("enabled", "size"), [("always madvise [never]", "2097152"), ("[madvise]", "none"), ("[madvise]", None)]
)
def test_nothing_is_done_where_there_are_none_or_none_are_wanted(
    enabled: str, size: str | None, tmp_path: Path
) -> None:
    (tmp_path / "enabled").write_text(enabled)
    if size is not None:
        (tmp_path / "hpage_pmd_size").write_text(size)
    pages = HugePages(tmp_path)
    pages.start()
    assert repr(pages) == "<HugePages 0 of 0 bytes>"


async def test_it_is_done_again_until_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "enabled").write_text("always [madvise] never")
    (tmp_path / "hpage_pmd_size").write_text(str(HUGE))
    pages, memory = HugePages(tmp_path, every_s=0.01), Memory(8)
    pages.start()
    await until(lambda: pages.made > 0 or not can_collapse())
    pages.stop()
    assert memory.resident() == 4 * HUGE // PAGE


async def test_it_ends_where_a_process_does_not_see_its_pages(tmp_path: Path) -> None:
    (tmp_path / "enabled").write_text("always [madvise] never")
    (tmp_path / "hpage_pmd_size").write_text(str(HUGE))
    pages = HugePages(tmp_path, tmp_path, every_s=0.01)
    pages.start()
    await until(lambda: all(thread.name != "huge-pages" for thread in threading.enumerate()))
    assert pages.made == 0
