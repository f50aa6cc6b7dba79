"""Plans with a quota of every kind, and calls that are charged to them or refused."""

import asyncio
from typing import Any

from tests.fakes import PAUSE_S, turn
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, counted, counts, enveloped
from tests.raw_client import RawReply

COLLEAGUE = "gw_test_key_of_a_colleague_in_the_same_team"
NARROW = "gw_test_key_that_may_do_two_things_at_once"
OTHERS = [f"gw_test_key_of_somebody_{number:04}" for number in range(12)]
"""Each its own caller, for a test that needs a fresh one."""

PLANS = """
- id: metered
  limits: [{id: day, max: 1000, per: 1d}]
  quotas:
  - {id: encodings, code: 8001, kind: count, max: 3, charge: [{routes: [encodings], methods: [POST]}],
     message: No encodings left this month, developer_message: Ask sales., links: [{href: "https://example.com/plans", title: Plans}]}
  - {id: bytes, code: 8003, kind: sum, max: 1000, charge: [{routes: [outputs]}], amount: {header: X-Encoded-Bytes}}
  - {id: told, code: 8003, kind: sum, max: 1000, per: ever, charge: [{routes: [results]}], amount: {field: output.bytes}}
  - {id: queued, code: 8004, kind: level, max: 2, charge: [{routes: [vod.start]}], release: [{routes: [vod.run, vod.stop]}]}
  - {id: live, code: 8005, kind: level, max: 2, scope: organization, charge: [{routes: [live], methods: [POST]}],
     release: [{routes: [live], methods: [DELETE]}], expires: 12h}
  - {id: finished, code: 8006, kind: count, per: ever, max: 2, charge: [{routes: [vod.finish]}]}
- {id: narrow, limits: [], concurrency: {key: 2}}
"""
ROUTES = """
- {id: encodings, match: {path: /encodings, methods: [GET, POST]}, upstream: backend}
- {id: outputs, match: {path: /outputs}, upstream: backend}
- {id: results, match: {path: /results}, upstream: backend, envelope: {max_buffer: 1KiB}}
- {id: vod.start, match: {path: /vod/start}, upstream: backend}
- {id: vod.run, match: {path: /vod/run}, upstream: backend}
- {id: vod.stop, match: {path: /vod/stop}, upstream: backend}
- {id: vod.finish, match: {path: /vod/finish}, upstream: backend}
- {id: live, match: {path: /live, methods: [POST, DELETE]}, upstream: backend}
- {id: work, match: {prefix: /jobs}, upstream: backend}
"""


def sections(**more: str) -> dict[str, str]:
    callers = [("colleague", COLLEAGUE, "acme"), *((f"other{n}", secret, f"org{n}") for n, secret in enumerate(OTHERS))]
    lines = [
        f"- {{id: {name}, secret_sha256: {digest(key)}, organizations: [{organization}], plan: metered}}"
        for name, key, organization in (("tester", KEY, "acme"), *callers)
    ]
    lines.append(f"- {{id: narrow, secret_sha256: {digest(NARROW)}, organizations: [acme], plan: narrow}}")
    organizations = ", ".join(["{id: acme}", *(f"{{id: org{n}}}" for n in range(len(OTHERS)))])
    return {
        "plans": PLANS,
        "routes": ROUTES,
        "keys": "\n" + "\n".join(lines),
        "organizations": f"[{organizations}]",
    } | more


async def statuses(here: Front, calls: int, method: str, path: str, key: str = KEY) -> list[int]:
    return [(await ask(here.gateway, method, path, key=key)).status for _ in range(calls)]


async def refused(
    here: Front, method: str, path: str, code: int, quota: str, key: str = KEY
) -> tuple[RawReply, dict[str, Any]]:
    """A call that is answered 429 in the envelope, and never reaches the service; the reply, and its data."""
    before, counts_before = (
        len(here.service.at(path)),
        counted(here.gateway, "gateway_quota_refused_total", quota=quota),
    )
    answer = await ask(here.gateway, method, path, key=key)
    envelope = enveloped(answer)
    assert (answer.status, envelope["data"]["code"]) == (429, code)
    assert len(here.service.at(path)) == before
    assert int(answer.field("Retry-After") or 0) >= 1
    record = await here.gateway.record("request_id", envelope["requestId"])
    assert (record["gateway.code"], record["gateway.limiter.result"], record["gateway.limiter.spent"]) == (
        code,
        "refused",
        [quota],
    )
    await counts(here.gateway, "gateway_quota_refused_total", counts_before + 1, quota=quota)
    assert counted(here.gateway, "gateway_quota_refused_total", quota=quota) == counts_before + 1
    return answer, envelope["data"]


async def until_served(here: Front, path: str, within_s: float = 5.0) -> None:
    """Whoever has a reply may ask again before the gateway has noted that the call is over."""
    async with asyncio.timeout(within_s):
        while (await ask(here.gateway, "GET", path, key=NARROW)).status != 200:
            await turn(PAUSE_S)
