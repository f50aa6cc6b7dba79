import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.admin.actor import actor_of
from gateway.audit.records import Actor


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({}, "admin.token"),
        ({"X-Gateway-Operator": "alice@laptop"}, "admin.token (alice@laptop)"),
        ({"X-Gateway-Operator": "x" * 101}, "admin.token"),
        ({"X-Gateway-Operator": "a) root (b"}, "admin.token"),
    ],
)
def test_the_token_acts_for_whom_the_client_names(fields: dict[str, str], who: str) -> None:
    assert actor_of(make_mocked_request("POST", "/", fields)) == Actor(who, "unix")
