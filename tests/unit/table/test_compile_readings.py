"""table/compile.py: which upstreams are one service, and slashes in a row."""

import pytest

from gateway.kernel.faults import GatewayError
from gateway.settings import parse
from gateway.table.compile import build_faults, build_routes
from tests.samples import Echo

TEXT = """
version: 1
server: {paths: {empty_segments: SLASHES}}
upstreams:
- {id: site, targets: [{url: "http://Service:3000"}, {url: "http://other:3000/"}]}
- {id: api, targets: [{url: "http://service:3000/base"}]}
routes:
- {id: open, match: {prefix: /}, upstream: site, auth: none}
- {id: api, match: {prefix: /v1}, upstream: api}
"""


def answer(path: str, slashes: str = "merge") -> str:
    config = parse(TEXT.replace("SLASHES", slashes))
    upstreams = {each.id: Echo() for each in config.upstreams}
    for id_, echo in upstreams.items():
        echo.id = id_
    found = build_routes(config, upstreams, build_faults(config)).match("GET", path)
    return found.fault.name if isinstance(found, GatewayError) else found.id


def test_upstreams_with_a_target_in_common_are_one_service() -> None:
    assert answer("/v1/a") == "api"
    assert answer("/base/a") == "open"
    assert answer("/base/v1/a") == "route_forbidden"  # where `api` leads


@pytest.mark.parametrize(("slashes", "expected"), [("merge", "api"), ("refuse", "malformed_path")])
def test_slashes_in_a_row(slashes: str, expected: str) -> None:
    assert answer("/v1//a", slashes) == expected
