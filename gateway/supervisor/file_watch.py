"""Whether the files of a configuration have changed, asked now and then: by what they are, not by what somebody reports.

So it does not matter how they change: written in place, renamed over, or by the symbolic links of a Kubernetes ConfigMap,
which turn to another folder. A network file system that reports nothing is no exception.
"""

from collections.abc import Callable, Iterable
from glob import glob
from pathlib import Path
from typing import TypeAlias

from gateway.system.one_shot_thread import Threads

_Look: TypeAlias = dict[Path, tuple[int, int, int, int] | None]


class Watch:
    """`file`, and what `patterns` name, relative to it."""

    def __init__(self, file: Path, patterns: Iterable[str] = ()) -> None:
        self._file = file
        self.patterns = tuple(patterns)
        self._looking = False
        self._settled = self._last = self._look()

    async def look(self, threads: Threads, changed: Callable[[], object]) -> None:
        """Call `changed` if they have. One look at a time, in a thread: a file system that does not answer holds up nobody."""
        if self._looking:
            return
        self._looking = True
        try:
            if await threads.run(self.changed):
                changed()
        except OSError:  # no thread: the next look may have one
            pass
        finally:
            self._looking = False

    def changed(self) -> bool:
        """Whether they are others than when this last said so. They have settled then: two looks saw the same."""
        now = self._look()
        settled, self._last = now == self._last, now
        if not settled or now == self._settled:
            return False
        self._settled = now
        return True

    def _look(self) -> _Look:
        found = [name for pattern in self.patterns for name in glob(str(self._file.parent / pattern))]  # noqa: PTH207  may be absolute
        included = [Path(name) for name in found]
        return {path: _identity(path) for path in (self._file, *included)}


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
