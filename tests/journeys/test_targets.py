"""Several targets behind one gateway, in processes and connections of their own."""

from collections import Counter
from pathlib import Path

from tests.fakes import RawBackend, reply, script
from tests.gateway_process import configuration, running
from tests.journeys.backends import ask, counted
from tests.load import Load
from tests.target_process import TargetProcess


def of(*urls: str, weights: tuple[int, ...] = (), **settings: str) -> str:
    """The section `upstreams`: one, called `backend`."""
    targets = ", ".join([f'{{url: "{url}", weight: {weight}}}' for url, weight in zip(urls, weights or (1,) * len(urls), strict=True)])
    more = "".join([f", {name}: {text}" for name, text in settings.items()])
    return f"[{{id: backend, targets: [{targets}]{more}}}]"


async def test_weights_are_shares(tmp_path: Path) -> None:
    async with RawBackend(default=script(reply(b'"a"'))) as one, RawBackend(default=script(reply(b'"b"'))) as other:
        upstreams = of(f"{one.url}/base", other.url, weights=(3, 1))
        with running(configuration(one.port, upstreams=upstreams), tmp_path) as gateway:
            async with Load(gateway.port, connections=1) as load:
                await load.more(400)
            assert load.failures == []
            shares = Counter({"one": len(one.requests), "other": len(other.requests)})
            assert 0.65 < shares["one"] / shares.total() < 0.85
            assert {request.head.split(b"\r\n")[0] for request in one.requests} == {b"GET /base/v1/x HTTP/1.1"}
            assert b"\r\nHost: 127.0.0.1:%d\r\n" % other.port in other.requests[0].head


async def test_a_target_that_is_killed_under_load_costs_no_request(tmp_path: Path) -> None:
    with (
        TargetProcess() as leaves,
        TargetProcess() as stays,
        running(configuration(0, upstreams=of(leaves.url, stays.url)), tmp_path) as gateway,
    ):
        async with Load(gateway.port) as load:
            await load.more(200)
            leaves.kill()
            await load.more(400)
            # What is not idempotent may go elsewhere, too, because it finds no connection
            for _ in range(20):
                assert (await ask(gateway, "POST", "/v1/x", body=b"{}")).status == 200
            leaves.start()
            await load.more(200)
        assert load.failures == []
        assert load.answered.keys() == {200}
        assert counted(gateway, "gateway_upstream_retries_total", upstream="backend") > 0
