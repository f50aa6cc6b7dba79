"""dry_run/explanation.py: what is reported about a request."""

from typing import Any

import msgspec
import pytest

from gateway.dry_run.explanation import explain
from gateway.dry_run.request import DryRequest
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.settings import parse
from tests.clocks import ManualClock
from tests.dry_runs import TEXT, dry_run


async def explained(
    method: str = "GET", target: str = "/v1/pets", key_id: str = "acme-ci", **more: Any
) -> dict[str, Any]:
    reveal = more.pop("reveal", False)
    found = await explain(dry_run(), DryRequest(method=method, target=target, key_id=key_id, **more), reveal=reveal)
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


async def test_a_call_that_is_forwarded() -> None:
    found = await explained("POST", "/v1/pets?a=1", body="{}", headers=(("X-Tenant-Org-Id", "initech"),))
    assert (found["method"], found["path"], found["query"], found["listener"]) == ("POST", "/v1/pets", "a=1", "public")
    assert (found["outcome"]["forwarded"], found["outcome"]["status"]) == (True, None)
    assert found["route"] == {
        "id": "pets.list",
        "pattern": "/v1/pets",
        "methods": ("GET", "POST", "HEAD"),
        "why": "it is the most specific of the routes for this path that serve POST",
    }
    assert [each["route"] for each in found["rivals"]] == ["rest"]
    assert found["caller"] == {
        "key": "acme-ci",
        "organization": "initech",
        "plan": "standard",
        "address": "127.0.0.1",
    }
    charge = found["charge"]
    assert (charge["cost"], charge["allowed"], charge["shadow"]) == (1, True, ["tighter"])
    assert [(each["id"], each["remaining"]) for each in charge["limits"]] == [("minute", 299)]
    assert [(each["id"], each["used"], each["max"]) for each in charge["quotas"]] == [("starts", 0, 2)]
    assert {check["result"] for check in found["checks"]} == {"passed"}


async def test_the_call_byte_for_byte() -> None:
    call = (await explained("POST", "/v1/pets?a=1", body="{}"))["call"]
    assert [target["target"] for target in call["targets"]] == ["127.0.0.1:1", "127.0.0.1:2"]
    first, second = (target["head"].split("\r\n") for target in call["targets"])
    assert (first[:2], second[:2]) == (
        ["POST /base/v1/pets?a=1 HTTP/1.1", "Host: 127.0.0.1:1"],
        ["POST /v1/pets?a=1 HTTP/1.1", "Host: 127.0.0.1:2"],
    )
    assert first[-6:] == [
        "Authorization: ***",
        "X-Plain: 1",
        "Accept-Encoding: identity",
        "Content-Length: 2",
        "",
        "",
    ]
    assert not any(line.lower().startswith("x-api-key") for line in first)
    assert (call["body_bytes"], call["idempotent"], call["most_tries"], call["envelope"]) == (2, False, 2, "auto")
    assert (call["connect_timeout_s"], call["first_byte_timeout_s"], call["total_timeout_s"]) == (1.0, 10.0, 30.0)
    revealed = (await explained("GET", reveal=True))["call"]["targets"][0]["head"]
    assert "Authorization: Bearer of-the-service\r\n" in revealed


@pytest.mark.parametrize(
    ("changes", "status", "failed", "not_asked"),
    [
        ({"target": "/v1/pets#x"}, 400, "request", []),
        ({"target": "/nothing"}, 404, "route", []),
        ({"method": "PUT", "target": "/v1/pets/7"}, None, None, ["body"]),
        ({"key_id": ""}, 401, "key", []),
        ({"key_id": "off"}, 403, "key", []),
        ({"headers": (("X-Api-Key", "b"), ("X-Api-Key", "c"))}, 401, "key", []),
        ({"key_id": "narrow", "method": "POST"}, 403, "permission", []),
        ({"key_id": "narrow", "target": "/v1/files/a"}, 403, "permission", []),
        ({"key_id": "narrow"}, None, None, ["limits", "body"]),
        ({"target": "/status", "key_id": ""}, None, None, ["key", "permission", "limits", "body"]),
        ({"target": "/limits"}, 200, None, ["body"]),
    ],
)
async def test_the_check_that_fails_is_named(
    changes: dict[str, Any], status: int | None, failed: str | None, not_asked: list[str]
) -> None:
    found = await explained(**changes)
    assert found["outcome"]["status"] == status
    results = {check["name"]: check["result"] for check in found["checks"]}
    assert [name for name, result in results.items() if result == "failed"] == ([failed] if failed else [])
    if failed is None:
        assert [name for name, result in results.items() if result == "not_asked"] == not_asked
        assert "not_reached" not in results.values()
    else:
        names = list(results)
        assert {results[name] for name in names[names.index(failed) + 1 :]} <= {"not_reached"}
        assert found["outcome"]["developer_message"]


async def test_an_address_calls_where_no_key_is_asked() -> None:
    found = await explained(target="/status", key_id="")
    assert found["caller"] == {"key": None, "organization": None, "plan": "free", "address": "127.0.0.1"}


async def test_a_key_where_none_belongs_is_masked() -> None:
    found = await explained(target=f"/v1/pets;X-Api-Key={'gw_' + 'a' * 38}?x=gw_{'b' * 38}", key_id="")
    assert (found["path"], found["query"]) == ("/v1/pets;X-Api-Key=gw_***", "x=gw_***")
    assert found["outcome"]["status"] == 400


async def test_a_preflight_is_anybodys() -> None:
    config = parse(
        TEXT.replace(
            "methods: [GET, POST]}, upstream", "methods: [GET, POST]}, cors: {origins: [https://a.example]}, upstream"
        )
    )
    asks = (("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET"))
    found = await explain(dry_run(config), DryRequest(method="OPTIONS", target="/v1/pets", headers=asks))
    assert found.outcome.status == 204
    assert found.caller is not None
    assert found.caller.key is None
    assert [check.name for check in found.checks if check.result == "not_asked"] == ["key", "permission", "body"]


async def test_a_body_that_is_too_large_fails_last() -> None:
    found = await explained("POST", body="a" * (10 * 1024 * 1024 + 1))
    assert (found["outcome"]["status"], found["checks"][-1]) == (413, {"name": "body", "result": "failed"})


async def test_a_long_body_has_a_length() -> None:
    found = await explained("POST", body="a" * 300_000)
    assert found["call"]["body_bytes"] == 300_000


async def test_what_is_spent_refuses_and_says_when_it_fits() -> None:
    clock = ManualClock()
    limiter = LocalLimiter(clock.clock)
    one = dry_run(clock=clock, limiter=limiter)
    request = DryRequest(method="POST", target="/v1/pets", key_id="acme-ci")
    claim = (await one.run(request)).x.claim
    assert claim is not None
    for _ in range(2):
        assert (await limiter.decide(claim)).allowed
    found = await explain(one, request)
    assert (found.outcome.status, found.outcome.code, found.outcome.reason) == (429, 8001, "quota_spent")
    assert found.outcome.details[0]["text"].startswith("Your quota starts is spent: 2 of 2 are used this month")
    assert found.charge is not None
    assert (found.charge.allowed, found.charge.quotas[0].used) == (False, 2)
    assert dict(found.outcome.fields)["Retry-After"].isdigit()
