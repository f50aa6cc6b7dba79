"""Several upstreams behind one route: callers are split, and copies are compared."""

import json
from collections import Counter
from pathlib import Path

from tests.fakes import RawBackend, reply, script
from tests.gateway_process import KEY, configuration, digest, running
from tests.journeys.backends import ask, counted, counts, enveloped

CALLERS = [f"gw_test_caller_number_{number:04}_abcdefgh" for number in range(12)]
KEYS = ", ".join(
    f"{{id: c{number}, secret_sha256: {digest(key)}, organizations: [acme], plan: unlimited}}"
    for number, key in enumerate([*CALLERS, KEY])
)


async def test_each_caller_stays_with_its_version_and_differences_are_found(tmp_path: Path) -> None:
    async with (
        RawBackend(default=script(reply(b'{"version": 1}'))) as one,
        RawBackend(default=script(reply(b'{"version": 2}'))) as other,
        RawBackend(default=script(reply(b'{"version": "3"}'))) as mirror,
    ):
        upstreams = ", ".join(
            f'{{id: {name}, targets: [{{url: "{each.url}"}}]}}'
            for name, each in (("v1", one), ("v2", other), ("v3", mirror))
        )
        routes = (
            "[{id: all, match: {prefix: /v1}, split: [{upstream: v1, weight: 60}, {upstream: v2, weight: 40}],"
            " mirror: {upstream: v3, compare: true}}]"
        )
        text = configuration(0, upstreams=f"[{upstreams}]", routes=routes, keys=f"[{KEYS}]")
        with running(text, tmp_path) as gateway:
            replies = [enveloped(await ask(gateway, "GET", "/v1/x", key=key)) for key in CALLERS * 2]
            versions = [each["data"]["result"]["version"] for each in replies]
            assert versions[: len(CALLERS)] == versions[len(CALLERS) :]
            shares = Counter(versions[: len(CALLERS)])
            assert set(shares) == {1, 2}
            assert counted(gateway, "gateway_upstream_requests_total", upstream="v2", code="200") == 2 * shares[2]
            await counts(gateway, "gateway_mirrored_total", 24, route="all", result="shape")
            mismatches = json.loads(gateway.admin("/mirror")[1])["mismatches"]
            assert len(mismatches) == 24
            assert (mismatches[0]["mirror"], mismatches[0]["differences"]) == (
                "v3",
                ["version: number, string in the other"],
            )
            assert {each["requestId"] for each in replies} == {each["request_id"] for each in mismatches}
            assert not any(key in json.dumps(mismatches) for key in CALLERS)
