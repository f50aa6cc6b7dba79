"""Who makes changes on this machine."""

import socket

from gateway.audit.records import Actor
from gateway.system.users import user_name


def local_user() -> Actor:
    """Return the user that this program runs as, on this host."""
    return Actor(user_name(), socket.gethostname())


def local_cause(who: str) -> Actor:
    """Return what makes this program act by itself, such as a signal: nobody knows who has sent it."""
    return Actor(who, socket.gethostname())
