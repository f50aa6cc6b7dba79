"""A policy for retries: targets that die, hang, answer errors and restart cost no call that may be repeated."""

import json
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from tests.fakes import End, RawBackend, reply, script
from tests.gateway_process import configuration, running
from tests.journeys.backends import ask, counted
from tests.journeys.test_targets import of, shown
from tests.load import Load
from tests.target_process import TargetProcess

RETRY = (
    "{attempts: 4, on: [connection_refused, connection_terminated, http_response_timeout, 500], per_try: 1s,"
    " backoff: 1ms, budget: 20%}"
)


async def test_no_get_fails_for_a_killed_a_hung_and_an_erring_target_and_no_post_is_doubled(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        hung = await stack.enter_async_context(RawBackend(default=script(End.NEVER)))
        errs = await stack.enter_async_context(RawBackend(default=script(reply(status=b"500 Internal Server Error"))))
        well = await stack.enter_async_context(RawBackend())
        killed = stack.enter_context(TargetProcess())
        upstreams = of(
            *(each.url for each in (killed, hung, errs, well)),
            retry=RETRY,
            outlier_detection="{max_ejection_percent: 100, base_ejection_time: 60s}",
        )
        gateway = stack.enter_context(running(configuration(0, upstreams=upstreams), tmp_path))
        killed.kill()
        async with Load(gateway.port, connections=8) as load:
            while [target["state"] for target in shown(gateway)].count("ejected") < 3:
                await load.more(50)
            await load.more(50)
            load.failures.clear()
            load.answered.clear()
            await load.more(300)
            for number in range(30):
                await ask(gateway, "POST", "/v1/x", body=b'{"id": %d}' % number)
        assert load.failures == []
        assert load.answered.keys() == {200}
        killed.start()
        received = Counter(
            json.loads(request.body)["id"] for each in (hung, errs, well) for request in each.requests if request.body
        )
        assert len(received) == 30
        assert set(received.values()) == {1}
        assert counted(gateway, "gateway_upstream_retries_total", upstream="backend") > 0


async def test_a_storm_of_retries_is_bounded(tmp_path: Path) -> None:
    error = script(reply(status=b"500 Internal Server Error"))
    async with RawBackend(default=error) as one, RawBackend(default=error) as other:
        with running(configuration(0, upstreams=of(one.url, other.url, retry=RETRY)), tmp_path) as gateway:
            async with Load(gateway.port, connections=8) as load:
                await load.more(300)
            assert load.answered.keys() == {500}
            assert load.total < len(one.requests) + len(other.requests) <= 1.2 * load.total
            assert counted(gateway, "gateway_upstream_retries_refused_total", upstream="backend") > 0
