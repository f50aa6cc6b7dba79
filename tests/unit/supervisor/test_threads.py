import threading

import pytest

from gateway.supervisor.threads import in_thread


async def test_it_brings_back_what_comes_of_it_and_leaves_no_thread() -> None:
    before = threading.active_count()
    assert await in_thread(threading.get_ident) != threading.get_ident()
    assert threading.active_count() == before


async def test_it_brings_back_what_is_raised() -> None:
    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        await in_thread(fail)
