"""Finds out whether the files of a configuration have changed, by polling their metadata.

So it does not matter how they change: written in place, replaced by a rename, or by the symbolic links of a Kubernetes
ConfigMap, which are switched to another folder. It works on network file systems too, which report no events.
"""

from collections.abc import Callable, Iterable
from glob import glob
from pathlib import Path
from typing import TypeAlias

from gateway.system.one_shot_thread import Threads

_Metadata: TypeAlias = dict[Path, tuple[int, int, int, int] | None]


class FileWatch:
    """Watches `file` and the files that `patterns` match, relative to its folder."""

    def __init__(self, file: Path, patterns: Iterable[str] = ()) -> None:
        self._file = file
        self.patterns = tuple(patterns)
        self._checking = False
        self._reported = self._last = self._read()

    async def check(self, threads: Threads, on_change: Callable[[], object]) -> None:
        """Call `on_change` if the files have changed.

        Runs in a thread, once at a time, so that a file system that does not answer blocks nothing else.
        """
        if self._checking:
            return
        self._checking = True
        try:
            if await threads.run(self.changed):
                on_change()
        except OSError:  # no thread can be started; the next check may find one
            pass
        finally:
            self._checking = False

    def changed(self) -> bool:
        """Return whether the files differ from those at the last True, and were the same in two calls in a row."""
        current = self._read()
        settled, self._last = current == self._last, current
        if not settled or current == self._reported:
            return False
        self._reported = current
        return True

    def _read(self) -> _Metadata:
        found = [name for pattern in self.patterns for name in glob(str(self._file.parent / pattern))]  # noqa: PTH207  may be absolute
        included = [Path(name) for name in found]
        return {path: _identity(path) for path in (self._file, *included)}


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
