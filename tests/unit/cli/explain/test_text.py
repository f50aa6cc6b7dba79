"""cli/explain/text.py: an explanation as text."""

from typing import Any

import pytest

from gateway.cli.explain.text import text
from gateway.dry_run.explanation import explain
from gateway.dry_run.request import DryRequest
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.settings import parse
from tests.clocks import ManualClock
from tests.dry_runs import TEXT, dry_run


async def shown(method: str = "GET", target: str = "/v1/pets", key_id: str = "acme-ci", **more: Any) -> list[str]:
    request = DryRequest(method=method, target=target, key_id=key_id, **more)
    return text(await explain(dry_run(), request)).split("\n")


async def test_all_of_a_call() -> None:
    lines = await shown("POST", "/v1/pets?a=1", body="{}")
    assert lines[:14] == [
        "POST /v1/pets?a=1 from 127.0.0.1 at listener public",
        "outcome: goes to upstream pets; the client gets its answer (envelope: auto)",
        "route: pets.list (/v1/pets): it is the most specific of the routes for this path that serve POST",
        "  not rest (/v1/**): at segment 2 it has any rest, where route pets.list has the literal `pets`",
        "caller: key acme-ci, organization acme, plan standard",
        "checks: request passed, route passed, key passed, permission passed, limits passed, body passed",
        "cost: 1 of each limit (decided by local)",
        "  LIMIT   SCOPE  MAX  PER  LEFT AFTER IT  OF",
        "  minute  key    300  60s  299            300",
        "  QUOTA   KIND   SCOPE  USED BEFORE IT  MAX",
        "  starts  count  key    0               2",
        "  in shadow mode: tighter",
        "time-outs: connect 1s, first byte 10s, total 30s, silence in a stream 60s",
        "tries: at most 2; a call that breaks off is sent to another target only if none of it was sent",
    ]
    assert lines[14:17] == [
        "sent to 127.0.0.1:1, followed by 2 bytes of body:",
        "  POST /base/v1/pets?a=1 HTTP/1.1",
        "  Host: 127.0.0.1:1",
    ]
    assert lines[-1] == "  Content-Length: 2"


async def test_what_is_refused_and_what_is_open() -> None:
    lines = await shown("PATCH", "/nowhere", key_id="")
    assert lines[1:4] == [
        "outcome: 404 with code 1005 (no_route): No route matches this path. Check it for spelling, case and a trailing slash.",
        "route: none",
        "caller: not known",
    ]
    lines = await shown(target="/status", key_id="")
    assert "caller: anybody at 127.0.0.1, plan free" in lines
    assert (
        lines[4]
        == "checks: request passed, route passed, key not asked, permission not asked, limits not asked, body not asked"
    )
    assert not any(line.startswith("tries:") for line in lines)
    assert (await shown(target="/limits"))[1] == "outcome: 200, answered by the gateway itself"
    assert any("may be sent to another target" in line for line in await shown())


async def test_details_and_what_was_not_taken() -> None:
    clock = ManualClock()
    limiter = LocalLimiter(clock.clock)
    one = dry_run(clock=clock, limiter=limiter)
    request = DryRequest(method="GET", target="/v1/pets/1", key_id="acme-ci")
    claim = (await one.run(request)).x.claim
    assert claim is not None
    await limiter.decide(claim)
    lines = text(await explain(one, request)).split("\n")
    assert lines[1].startswith("outcome: 429 with code 8000 (rate_limited): ")
    assert lines[2].startswith("  Your limit of 3 per second (route/pets.item/second) has no room for this call")
    assert "cost: 2 of each limit (decided by local); refused, so nothing is taken" in lines


@pytest.mark.parametrize(
    ("cache", "line"),
    [
        ("{}", "cache: a reply is kept as long as the service says, shared by organization; it is looked for"),
        ("{ttl: 90s, share: key}", "cache: a reply is kept for 90s, shared by key; it is looked for"),
    ],
)
async def test_the_policies_of_the_route(cache: str, line: str) -> None:
    more = f"cache: {cache}, idempotency: {{}}, response: {{openapi: tests/documents/pets.yaml, operation: listPets}}"
    config = parse(TEXT.replace("methods: [GET, POST]}, upstream", f"methods: [GET, POST]}}, {more}, upstream"))
    lines = text(await explain(dry_run(config), DryRequest(method="GET", target="/v1/pets", key_id="acme-ci"))).split(
        "\n"
    )
    assert any(each.startswith(line) for each in lines)
    assert "idempotency: a call with Idempotency-Key reaches the service once" in lines
    assert "drift: 5% of the answers are checked by listPets of tests/documents/pets.yaml, afterwards" in lines


async def test_split_and_retry() -> None:
    config = parse(
        TEXT.replace(
            "path: /v1/pets/mine, methods: [GET]}, upstream: pets",
            "path: /v1/pets/mine, methods: [GET]}, retry: {per_try: 2s, methods: [GET]}, "
            "split: [{upstream: pets, weight: 3}, {upstream: other, weight: 0}]",
        ).replace("- {id: pets,", "- {id: pets, hedge: {},")
    )
    found = await explain(dry_run(config), DryRequest(method="GET", target="/v1/pets/mine", key_id="acme-ci"))
    assert found.call is not None
    lines = text(found).split("\n")
    assert f"split: pets 100%, other 0%; the calls of this caller go to {found.call.upstream}" in lines
    assert any(line.startswith(f"outcome: goes to upstream {found.call.upstream};") for line in lines)
    assert "hedge: GET to a second target as well after p95; at most 5% of the calls" in lines
    (retry,) = [line for line in lines if line.startswith("retry: ")]
    assert retry.startswith("retry: GET after connection_limit_reached, ")
    assert retry.endswith(", 503, each within 2s, 0.025s later; at most 20% of the calls of the route")
