"""supervisor/__init__.py: a gateway that cannot begin raises, and does not serve."""

import socket

import pytest

from gateway.settings import from_upstream
from gateway.supervisor import run


def test_an_address_in_use_raises() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = from_upstream("http://127.0.0.1:1", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(OSError, match="Address already in use"):
            run(config, source="test")
