import json
import os
import socket

from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.net.listen import spelled
from gateway.observe.metrics import Metrics
from gateway.observe.shared_memory import Region
from gateway.supervisor.inherited_sockets import VARIABLE, inherit
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from tests.scrape import scraped


def test_without_anything_there_is_nothing() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "3", "HOME": "/"}
    found = inherit(environ)
    assert (found.sockets, found.regions, found.predecessor, found.switch.notice()) == ({}, [], None, None)
    assert environ == {"HOME": "/"}


def test_sockets_counts_and_a_line_of_another_supervisor() -> None:
    region = Region.shared()
    metrics = Metrics(region=region)
    metrics.requests.labels("a", "GET", 200, "upstream").inc()
    assert region.fd is not None
    switch = MaintenanceSwitch.shared()
    switch.turn_on(MaintenanceNotice("a release"))
    strange = os.memfd_create("of another release")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = spelled(listening)
        ours, theirs = socket.socketpair()
        handed_over = {
            "sockets": {"public": [os.dup(listening.fileno())]},
            "regions": [os.dup(region.fd), strange],
            "line": theirs.detach(),
            "maintenance": os.dup(switch.fd),
        }
        environ = {VARIABLE: json.dumps(handed_over)}
        found = inherit(environ)
        assert environ == {}
        assert [spelled(sock) for sock in found.sockets["public"]] == [address]
        assert [counted.slots.tolist() for counted in found.regions] == [region.slots.tolist()]
        assert b'route="a"' in scraped(metrics)
        assert found.switch.notice() == MaintenanceNotice("a release")
        assert not os.get_inheritable(found.switch.fd)
        assert found.predecessor is not None
        with ours, found.predecessor, found.sockets["public"][0]:
            ours.send(b"x")
            assert found.predecessor.recv(1) == b"x"
