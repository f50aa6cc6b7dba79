"""stages/limits_endpoint.py: a caller is told its limits, in the envelope and in the contract's spelling."""

import json
from typing import Any

from gateway.kernel.limits.token_bucket import Window
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.stages.limits_endpoint import limits_endpoint
from gateway.table import Route
from gateway.table.limits import Tariff
from gateway.usage.report import Accounts
from tests.clocks import ManualClock
from tests.samples import REQUEST_ID, caller, exchange, route

HOUR = Window("route/dear/hour", 9, 3_600_000_000, "Hour")


async def reported(*routes: Route) -> dict[str, Any]:
    limiter, x, one = LocalLimiter(ManualClock().clock), exchange(), caller()
    await limiter.decide(one.claim)
    reply = await limits_endpoint(x, one, await limiter.decide(one.peek), Accounts(limiter, routes))
    assert (reply.status, reply.source, x.peeked) == (200, "gateway", True)
    assert dict(reply.fields) == {"Content-Type": "application/json", "Cache-Control": "no-store"}
    body = json.loads(reply.body)
    assert (body["requestId"], body["status"]) == (REQUEST_ID, "SUCCESS")
    result: dict[str, Any] = body["data"]["result"]
    return result


async def test_a_caller_gets_its_account() -> None:
    minute = {
        "id": "minute",
        "name": "Minute",
        "scope": "key",
        "max": 300,
        "perSeconds": 60.0,
        "guarantee": "burst",
        "burst": 300,
        "used": 1,
        "remaining": 299,
        "fullInSeconds": 0.2,
    }
    assert await reported(route()) == {
        "key": "acme-ci",
        "organization": "acme",
        "plan": "standard",
        "limits": [minute],
        "quotas": [],
        "routes": [],
    }


async def test_methods_are_no_names_of_the_contract() -> None:
    result = await reported(
        route(
            id="dear",
            methods=("GET", "DELETE"),
            tariff=Tariff({"GET": 1, "HEAD": 1, "DELETE": 5}, {"GET": (), "HEAD": (), "DELETE": (HOUR,)}),
        )
    )
    (dear,) = result["routes"]
    assert dear["cost"] == {"GET": 1, "DELETE": 5, "HEAD": 1}
    assert [(limit["id"], limit["fullInSeconds"], limit["methods"]) for limit in dear["limits"]] == [
        ("route/dear/hour", 0.0, ["DELETE"])
    ]
