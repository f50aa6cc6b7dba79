import os

from gateway.worker.heartbeat import Heartbeat


def test_the_parent_reads_what_the_child_writes() -> None:
    heartbeat = Heartbeat()
    assert (heartbeat.at, heartbeat.cut, heartbeat.redis_up) == (0.0, 0, False)
    child = os.fork()
    if not child:
        heartbeat.beat(12.5, 0.25, 7, 3)
        heartbeat.cut = 2
        heartbeat.redis_up = True
        os._exit(0)
    os.waitpid(child, 0)
    assert (heartbeat.at, heartbeat.lag_s, heartbeat.connections, heartbeat.in_flight, heartbeat.cut) == (
        12.5,
        0.25,
        7,
        3,
        2,
    )
    assert heartbeat.redis_up
    assert repr(heartbeat) == "<Heartbeat at 12.50, 7 connections>"
    heartbeat.close()
