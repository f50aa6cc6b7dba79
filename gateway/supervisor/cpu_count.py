"""The number of CPUs that this process may use, which is the default number of workers."""

import os
from math import ceil
from pathlib import Path

from gateway.settings import Config

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def count_of(config: Config) -> int:
    """Return the number of workers of a configuration.

    Without Redis the default is 1, because workers do not share limits then.
    """
    return config.server.workers or (1 if config.redis is None else processors())


def processors(root: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """Return the number of CPUs in the affinity mask, or the rounded-up quota of the control groups if that is less.

    At least 1.

    `root` is the mount point of cgroups, `own` the file that lists the control groups of this process.
    """
    allowed = len(os.sched_getaffinity(0))
    quota = min(
        (quota for folder in _folders(root, own) if (quota := _quota(folder)) is not None), default=float(allowed)
    )
    return max(1, min(allowed, ceil(quota)))


def _folders(root: Path, own: Path) -> list[Path]:
    """Return the folders of this process's control groups and of all above them, whose quotas hold as well."""
    folders = [root, root / "cpu", root / "cpu,cpuacct"]
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return folders
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / controllers if controllers else root
        inner = base / path.lstrip("/")
        folders += [inner, *(parent for parent in inner.parents if parent.is_relative_to(base))]
    return folders


def _quota(folder: Path) -> float | None:
    """Return the quota in CPUs; None for no quota."""
    try:
        if (folder / "cpu.max").exists():  # version 2: "max 100000", "150000 100000"
            most, period = (folder / "cpu.max").read_text().split()
        else:
            most, period = ((folder / name).read_text().strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        return int(most) / int(period) if int(most) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
