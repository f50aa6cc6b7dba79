import os
import resource

from gateway.system.reserved_descriptors import Reserve


def test_what_is_kept_is_free_for_who_may_have_it() -> None:
    reserve = Reserve(4)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert repr(reserve) == "<Reserve 4/4 descriptors>"
    taken = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(reserve._held) + 1, before[1]))
        while True:
            try:
                taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        with reserve.lent():
            lent = [os.open("/dev/null", os.O_RDONLY) for _ in range(4)]
            for fd in lent[:3]:
                os.close(fd)
        assert repr(reserve) == "<Reserve 3/4 descriptors>"
        os.close(lent[3])
        with reserve.lent():
            pass
        assert repr(reserve) == "<Reserve 4/4 descriptors>"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in taken:
            os.close(fd)
