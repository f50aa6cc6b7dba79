import os
import resource

from gateway.system.reserved_descriptors import Reserve


def test_reserved_descriptors_are_free_inside_the_context() -> None:
    reserve = Reserve(4)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert repr(reserve) == "<Reserve 4/4 descriptors>"
    opened = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(reserve._held) + 1, before[1]))
        while True:
            try:
                opened.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        with reserve.released():
            released = [os.open("/dev/null", os.O_RDONLY) for _ in range(4)]
            for fd in released[:3]:
                os.close(fd)
        assert repr(reserve) == "<Reserve 3/4 descriptors>"
        os.close(released[3])
        with reserve.released():
            pass
        assert repr(reserve) == "<Reserve 4/4 descriptors>"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in opened:
            os.close(fd)
