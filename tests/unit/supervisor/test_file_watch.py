import asyncio
import threading
from pathlib import Path

from gateway.supervisor.file_watch import FileWatch
from gateway.system.one_shot_thread import Threads
from tests.fakes import until


def test_a_change_is_reported_once_after_it_has_settled(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("one")
    watch = FileWatch(file)
    assert [watch.changed(), watch.changed()] == [False, False]
    file.write_text("more")
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]


def test_a_file_that_goes_on_changing_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    watch = FileWatch(file)
    for length in range(1, 5):
        file.write_text("x" * length)
        assert not watch.changed()
    assert watch.changed()


def test_renames_switched_links_and_removed_files_are_noticed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "gateway.yaml").write_text("same")
    (tmp_path / "data").symlink_to("a")
    watch = FileWatch(tmp_path / "data" / "gateway.yaml")
    (tmp_path / "new").symlink_to("b")
    (tmp_path / "new").replace(tmp_path / "data")
    assert [watch.changed(), watch.changed()] == [False, True]
    (tmp_path / "b" / "gateway.yaml").unlink()
    assert [watch.changed(), watch.changed()] == [False, True]


def test_included_files_count_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    watch = FileWatch(tmp_path / "gateway.yaml", ["conf.d/*.yaml", str(tmp_path / "absolute.yaml")])
    (tmp_path / "gateway.log").write_text("a line")
    assert [watch.changed(), watch.changed()] == [False, False]
    (tmp_path / "conf.d" / "keys.yaml").write_text("keys: []")
    assert [watch.changed(), watch.changed()] == [False, True]
    (tmp_path / "absolute.yaml").write_text("routes: []")
    assert [watch.changed(), watch.changed()] == [False, True]


async def test_a_check_that_hangs_blocks_nothing_and_runs_only_once_at_a_time(tmp_path: Path) -> None:
    class Hung(FileWatch):
        def changed(self) -> bool:
            checks.append(True)
            go.wait()
            return super().changed()

    checks, go, threads, changes = list[bool](), threading.Event(), Threads(), list[bool]()
    file = tmp_path / "gateway.yaml"
    file.write_text("a")
    watch = Hung(file)
    file.write_text("another")
    first = asyncio.create_task(watch.check(threads, lambda: changes.append(True)))
    await until(lambda: checks == [True])
    await watch.check(threads, lambda: changes.append(True))
    assert (checks, changes) == ([True], [])
    go.set()
    await first
    await watch.check(threads, lambda: changes.append(True))
    assert changes == [True]
    before = threading.stack_size(1 << 46)
    try:
        await watch.check(threads, lambda: changes.append(True))
    finally:
        threading.stack_size(before)
    assert len(checks) == 2
