import os

from gateway.observe.pulse import Pulse


def test_a_child_s_heart_is_heard_here() -> None:
    pulse = Pulse()
    assert (pulse.at, pulse.cut, pulse.redis_up) == (0.0, 0, False)
    child = os.fork()
    if not child:
        pulse.beat(12.5, 0.25, 7, 3)
        pulse.cut = 2
        pulse.redis_up = True
        os._exit(0)
    os.waitpid(child, 0)
    assert (pulse.at, pulse.lag_s, pulse.connections, pulse.in_flight, pulse.cut) == (12.5, 0.25, 7, 3, 2)
    assert pulse.redis_up
    assert repr(pulse) == "<Pulse at 12.50, 7 connections>"
    pulse.close()
