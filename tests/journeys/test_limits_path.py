"""A caller looks up its limits: `server.limits_path`."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import reply
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, counted, enveloped, front

pytestmark = pytest.mark.asyncio(loop_scope="module")

NARROW = "gw_test_key_that_may_only_delete_elsewhere"
PATH = "/_gateway/limits"
SECTIONS = {
    "server": f'{{limits_path: {PATH}, drain_delay: 0s, listeners: [{{id: public, address: "127.0.0.1:0"}}]}}',
    "plans": "[{id: few, limits: [{id: hour, max: 7, per: 1h}]}]",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: few}}
- {{id: narrow, secret_sha256: {digest(NARROW)}, organizations: [acme], plan: few, routes: [dear], methods: [DELETE]}}
""",
    "routes": """
- {id: all, match: {prefix: /}, upstream: backend}
- {id: dear, match: {path: /dear, methods: [GET, DELETE]}, upstream: backend, cost: {DELETE: 5}, limits: [{id: day, max: 9, per: 1d, methods: [DELETE]}]}
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        built.service.on("/dear", reply())
        yield built


async def test_a_caller_is_reported_its_limits_and_spends_nothing(here: Front) -> None:
    assert (await ask(here.gateway, "DELETE", "/dear")).status == 200
    for _ in range(3):
        answer = await ask(here.gateway, "GET", PATH)
        result = enveloped(answer)["data"]["result"]
        assert (answer.status, result["key"], result["organization"], result["plan"]) == (200, "tester", "acme", "few")
        (hour,) = result["limits"]
        assert [hour[name] for name in ("id", "name", "max", "perSeconds", "burst", "used", "remaining")] == [
            "hour",
            "Hour",
            7,
            3600,
            7,
            5,
            2,
        ]
        assert 2500 < hour["fullInSeconds"] <= 2572
        (dear,) = result["routes"]
        assert (dear["id"], dear["cost"]) == ("dear", {"GET": 1, "DELETE": 5, "HEAD": 1})
        assert [(limit["id"], limit["used"], limit["methods"]) for limit in dear["limits"]] == [
            ("route/dear/day", 5, ["DELETE"])
        ]
        assert (answer.field("X-RateLimit-Limit-Hour"), answer.field("X-RateLimit-Remaining-Hour")) == ("7", "2")
    head = await ask(here.gateway, "HEAD", PATH)
    assert (head.status, head.body, head.field("X-RateLimit-Remaining-Hour")) == (200, b"", "2")


async def test_a_key_that_may_do_little_is_reported_of_that(here: Front) -> None:
    answer = await ask(here.gateway, "GET", PATH, key=NARROW)
    assert (answer.status, [route["cost"] for route in enveloped(answer)["data"]["result"]["routes"]]) == (
        200,
        [{"DELETE": 5}],
    )


@pytest.mark.parametrize("key", [None, "gw_unknown"])
async def test_strangers_are_reported_nothing(here: Front, key: str | None) -> None:
    answer = await ask(here.gateway, "GET", PATH, key=key)
    assert (answer.status, enveloped(answer)["data"]["code"]) == (401, 1002)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_it_is_for_looking_only_although_another_route_has_everything(here: Front, method: str) -> None:
    answer = await ask(here.gateway, method, PATH)
    assert (answer.status, enveloped(answer)["data"]["code"], answer.field("Allow")) == (405, 1006, "GET, HEAD")


async def test_it_counts_under_a_route_of_its_own_and_no_upstream_hears_of_it(here: Front) -> None:
    before = counted(
        here.gateway, "gateway_requests_total", route="gateway.limits", method="GET", code="200", source="gateway"
    )
    answer = await ask(here.gateway, "GET", PATH)
    record = await here.gateway.record("request_id", answer.field("X-Request-Id"))
    assert (record["http.route"], record["gateway.key_id"]) == ("gateway.limits", "tester")
    assert "gateway.limiter.result" not in record
    after = counted(
        here.gateway, "gateway_requests_total", route="gateway.limits", method="GET", code="200", source="gateway"
    )
    assert after == before + 1
    assert here.service.at(PATH) == []
