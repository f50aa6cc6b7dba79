"""Work that takes long, beside the loop, in a thread that is gone when it is done."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises. Unlike the loop's pool it leaves no thread behind, which a fork could not copy."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # it is T when there is no error

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            loop.call_soon_threadsafe(settle, None, error)
        else:
            loop.call_soon_threadsafe(settle, result, None)

    thread = threading.Thread(target=run, name="work")
    thread.start()
    try:
        return await asyncio.shield(done)
    finally:
        # It has nothing left to do but end, unless somebody would not wait for it.
        if done.done():
            thread.join()
