import asyncio
import threading
from pathlib import Path

from gateway.supervisor.file_watch import Watch
from gateway.system.one_shot_thread import Threads
from tests.fakes import until


def test_a_change_is_told_once_it_has_settled_and_once_only(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("one")
    watch = Watch(file)
    assert [watch.changed(), watch.changed()] == [False, False]
    file.write_text("more")
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]


def test_a_file_that_goes_on_changing_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    watch = Watch(file)
    for length in range(1, 5):
        file.write_text("x" * length)
        assert not watch.changed()
    assert watch.changed()


def test_renamed_over_turned_to_another_folder_and_gone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "gateway.yaml").write_text("same")
    (tmp_path / "data").symlink_to("a")
    watch = Watch(tmp_path / "data" / "gateway.yaml")
    (tmp_path / "new").symlink_to("b")
    (tmp_path / "new").replace(tmp_path / "data")
    assert [watch.changed(), watch.changed()] == [False, True]
    (tmp_path / "b" / "gateway.yaml").unlink()
    assert [watch.changed(), watch.changed()] == [False, True]


def test_included_files_count_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    watch = Watch(tmp_path / "gateway.yaml", ["conf.d/*.yaml", str(tmp_path / "absolute.yaml")])
    (tmp_path / "gateway.log").write_text("a line")
    assert [watch.changed(), watch.changed()] == [False, False]
    (tmp_path / "conf.d" / "keys.yaml").write_text("keys: []")
    assert [watch.changed(), watch.changed()] == [False, True]
    (tmp_path / "absolute.yaml").write_text("routes: []")
    assert [watch.changed(), watch.changed()] == [False, True]


async def test_a_look_that_hangs_holds_up_nobody_and_there_is_only_one(tmp_path: Path) -> None:
    class Hung(Watch):
        def changed(self) -> bool:
            looks.append(True)
            go.wait()
            return super().changed()

    looks, go, threads, told = list[bool](), threading.Event(), Threads(), list[bool]()
    file = tmp_path / "gateway.yaml"
    file.write_text("a")
    watch = Hung(file)
    file.write_text("another")
    first = asyncio.create_task(watch.look(threads, lambda: told.append(True)))
    await until(lambda: looks == [True])
    await watch.look(threads, lambda: told.append(True))
    assert (looks, told) == ([True], [])
    go.set()
    await first
    await watch.look(threads, lambda: told.append(True))
    assert told == [True]
    before = threading.stack_size(1 << 46)
    try:
        await watch.look(threads, lambda: told.append(True))
    finally:
        threading.stack_size(before)
    assert len(looks) == 2
