import socket

from gateway.audit.actors import local_cause, local_user
from gateway.audit.records import Actor
from gateway.system.users import user_name


def test_a_command_acts_for_its_user_on_its_host() -> None:
    assert local_user() == Actor(user_name(), socket.gethostname())


def test_a_signal_acts_on_this_host() -> None:
    assert local_cause("SIGHUP") == Actor("SIGHUP", socket.gethostname())
