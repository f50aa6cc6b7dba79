import time

from gateway.system.clock import SYSTEM_CLOCK


def test_it_reads_the_clocks_of_the_system() -> None:
    before = time.monotonic(), time.time()
    now = SYSTEM_CLOCK.monotonic(), SYSTEM_CLOCK.wall()
    after = time.monotonic(), time.time()
    assert before[0] <= now[0] <= after[0]
    assert abs(now[1] - before[1]) <= abs(after[1] - before[1]) + 1
