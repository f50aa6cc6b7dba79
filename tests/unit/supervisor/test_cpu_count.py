import os
from pathlib import Path

import pytest

from gateway.settings import parse
from gateway.supervisor.cpu_count import count_of, processors

ALL = len(os.sched_getaffinity(0))


def counted(folder: Path, own: str, **files: str) -> int:
    for name, text in files.items():
        position = folder / "cgroup" / name.replace("__", "/").replace("_max", ".max").replace("cpu_cfs", "cpu.cfs")
        position.parent.mkdir(parents=True, exist_ok=True)
        position.write_text(text)
    (folder / "own").write_text(own)
    return processors(folder / "cgroup", folder / "own")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("max 100000\n", ALL), ("100000 100000\n", 1), ("50000 100000\n", 1), ("99900000 100000\n", ALL), ("what\n", ALL)],
)
def test_the_quota_of_version_2(tmp_path: Path, text: str, wanted: int) -> None:
    assert counted(tmp_path, "0::/\n", cpu_max=text) == wanted


def test_the_lowest_quota_of_all_parent_groups_counts(tmp_path: Path) -> None:
    assert counted(tmp_path, "0::/a/b\n", a__cpu_max="100000 100000", a__b__cpu_max="max 100000") == 1


def test_the_quota_of_version_1(tmp_path: Path) -> None:
    files = {"cpu__cpu_cfs_quota_us": "100000\n", "cpu__cpu_cfs_period_us": "100000\n"}
    assert counted(tmp_path, "4:memory:/x\n3:cpu:/\n", **files) == 1
    files["cpu__cpu_cfs_quota_us"] = "-1\n"
    assert counted(tmp_path, "3:cpu:/\n", **files) == ALL


def test_without_any_it_is_what_this_process_may_run_on(tmp_path: Path) -> None:
    assert processors(tmp_path / "none", tmp_path / "nothing") == ALL


def test_workers_are_as_many_as_asked_for_or_as_share_a_store() -> None:
    least = "version: 1\nupstreams: [{id: u, targets: [{url: 'http://a:1'}]}]\nroutes: [{id: r, match: {prefix: /}, upstream: u}]\n"
    assert count_of(parse(least)) == 1
    assert count_of(parse(least + "redis: {url: 'redis://a'}\n")) == processors()
    assert count_of(parse(least + "redis: {url: 'redis://a'}\nserver: {workers: 7}\n")) == 7
