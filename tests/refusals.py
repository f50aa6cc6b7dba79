"""What a stage has returned: what it was asked for, or why that is refused."""

from typing import TypeVar

from gateway.kernel.faults import GatewayError

T = TypeVar("T")


def accepted(found: T | GatewayError) -> T:
    """Return what was asked for."""
    assert not isinstance(found, GatewayError), found.fault.name
    return found


def refusal(found: object) -> GatewayError:
    """Return why it is refused."""
    assert isinstance(found, GatewayError), found
    return found
