import asyncio
import os
import threading
from pathlib import Path

import pytest

from gateway.system.one_shot_thread import Threads

MORE_THAN_THERE_IS = 1 << 46


@pytest.fixture
def threads() -> Threads:
    return Threads()


async def test_it_returns_the_result_and_leaves_no_thread(threads: Threads) -> None:
    before = threading.active_count()
    assert await threads.run(threading.get_ident) != threading.get_ident()
    assert threading.active_count() == before
    await threads.quiet()


async def test_it_raises_the_exception_of_the_work(threads: Threads) -> None:
    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        await threads.run(fail)


async def test_no_thread_is_an_error_of_the_system(threads: Threads) -> None:
    before = threading.stack_size(MORE_THAN_THERE_IS)
    try:
        with pytest.raises(OSError, match="thread"):
            await threads.run(threading.get_ident)
    finally:
        threading.stack_size(before)
    await threads.quiet()


async def test_a_fork_waits_for_a_thread_that_works(threads: Threads) -> None:
    ends = threading.Event()

    def busy() -> None:
        while not ends.is_set():
            sum(range(1000))

    working = asyncio.create_task(threads.run(busy))
    await asyncio.sleep(0)
    quiet = asyncio.create_task(threads.quiet())
    done, _ = await asyncio.wait({quiet}, timeout=0.7)
    assert not done
    ends.set()
    await working
    await asyncio.wait_for(quiet, 5)


async def test_a_fork_does_not_wait_for_a_thread_that_is_blocked_by_a_file(threads: Threads, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = asyncio.create_task(threads.run(pipe.read_text))
    await asyncio.sleep(0)
    await asyncio.wait_for(threads.quiet(), 5)
    assert not reading.done()
    assert repr(threads) == "<Threads 1 at work>"
    pipe.write_text("here it is")
    assert await reading == "here it is"


async def test_the_result_of_cancelled_work_is_dropped(threads: Threads, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(threads.run(pipe.read_text), 0.05)
    pipe.write_text("too late")
    await asyncio.wait_for(threads.quiet(), 5)


async def test_a_fork_is_not_put_off_by_work_that_comes_meanwhile(threads: Threads) -> None:
    loop, tasks, asked = asyncio.get_running_loop(), list[asyncio.Task[None]](), 0

    def begin(begun: threading.Event) -> None:
        nonlocal asked
        asked += 1
        if asked < 200:
            tasks.append(asyncio.create_task(threads.run(lambda: work(begun))))

    def work(begun: threading.Event) -> None:
        """Ask for the next piece of work, and end when that has begun."""
        begun.set()
        following = threading.Event()
        loop.call_soon_threadsafe(begin, following)
        following.wait(0.05)

    begin(threading.Event())
    await asyncio.sleep(0)
    another = asyncio.create_task(threads.quiet())
    async with asyncio.timeout(10):
        await threads.quiet()
    assert repr(threads) == "<Threads 0 at work>"
    assert asked < 200
    assert await threads.run(lambda: "it goes on") == "it goes on"
    asked = 200
    await asyncio.gather(another, *tasks)
    await threads.quiet()
