"""dry_run/replay.py: calls of a log under another configuration."""

import pytest

from gateway.dry_run.access_lines import CallOutcome, LoggedCall, LogLines
from gateway.dry_run.replay import Baseline, ReplayedCall, is_changed, replay
from gateway.dry_run.run import compiled
from gateway.settings import Config, parse
from tests.clocks import ManualClock
from tests.dry_runs import CONFIG, SECRET, TEXT
from tests.logged_gateway import LoggedGateway


def edited(*changes: tuple[str, str]) -> Config:
    text = TEXT
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return parse(text)


class Log:
    """A log that is written by a gateway with `config`."""

    def __init__(self, config: Config = CONFIG) -> None:
        self.clock = ManualClock(1_700_000_000_000_000)
        self.gateway = LoggedGateway(config, self.clock)

    async def calls(
        self, number: int, pause_s: float, target: str = "/v1/pets", method: str = "GET", secret: str = SECRET
    ) -> None:
        for _ in range(number):
            await self.gateway.serve(method, target, secret)
            self.clock.advance(pause_s)

    async def changed(
        self, config: Config, against: Config | None = None, baseline: Baseline = lambda call: call.verdict
    ) -> list[tuple[CallOutcome, CallOutcome]]:
        """The verdicts that change, before and after."""
        parts, old = (
            compiled(config, self.clock.clock),
            None if against is None else compiled(against, self.clock.clock),
        )
        calls = LogLines().read(self.gateway.lines)
        return [(each.before, each.after) async for each in replay(calls, parts, old, baseline) if is_changed(each)]


@pytest.mark.parametrize("against", [None, CONFIG])
async def test_another_route_or_status(against: Config | None) -> None:
    log = Log()
    await log.calls(1, 1.0, "/v1/pets/mine")
    await log.calls(1, 1.0, "/v1/pets", "POST")
    await log.calls(1, 1.0, "/v1/files/a")
    await log.calls(1, 1.0, "/status", secret="")
    await log.calls(1, 1.0, "/v1/other")
    new = edited(
        ("path: /v1/pets/mine", "path: /v1/pets/ours"),
        ("methods: [GET, POST]}, upstream: pets", "methods: [GET]}, upstream: pets"),
        ("/v1/files/{name*}", "/v2/files/{name*}"),
        ("upstream: other, auth: none, plan: free", "upstream: other"),
        ("methods: [POST]}]}", "methods: [GET]}]}"),
    )
    found = await log.changed(new, against)
    assert found == [
        (CallOutcome("pets.mine", None), CallOutcome("pets.item", None)),
        (CallOutcome("pets.list", None), CallOutcome(None, 405, "method_not_allowed")),
        (CallOutcome("files", None), CallOutcome("rest", None)),
        (CallOutcome("open", None), CallOutcome("open", 401, "key_missing")),
    ]
    assert await log.changed(CONFIG, against) == []


@pytest.mark.parametrize("against", [None, CONFIG])
async def test_keys_that_may_less_or_are_gone(against: Config | None) -> None:
    log = Log()
    await log.calls(1, 1.0)
    narrower = edited(("organizations: [acme, initech, gone]", "organizations: [acme], routes: [rest]"))
    assert await log.changed(narrower, against) == [
        (CallOutcome("pets.list", None), CallOutcome("pets.list", 403, "route_forbidden"))
    ]
    renamed = edited(("id: acme-ci", "id: acme-cd"))
    assert await log.changed(renamed, against) == [
        (CallOutcome("pets.list", None), CallOutcome("pets.list", 401, "key_unknown"))
    ]
    expiring = edited(("organizations: [acme, initech, gone]", "organizations: [acme], expires: 2023-11-14T22:13:21Z"))
    await log.calls(2, 1.0)
    assert [after.reason for _, after in await log.changed(expiring)] == ["key_expired"] * 2


@pytest.mark.parametrize("against", [None, CONFIG])
async def test_limits_run_on_the_clock_of_the_log(against: Config | None) -> None:
    log = Log()
    await log.calls(8, 0.5)
    tighter = edited(("{id: minute, max: 300", "{id: minute, max: 6"))
    changes = await log.changed(tighter, against)
    assert changes == [(CallOutcome("pets.list", None), CallOutcome("pets.list", 429, "rate_limited", ("minute",)))] * 2
    slower = Log()
    await slower.calls(8, 10.0)
    assert await slower.changed(tighter, against) == []


async def test_a_wider_limit_is_found_between_two_configurations() -> None:
    tight = edited(("{id: minute, max: 300", "{id: minute, max: 6"))
    log = Log(tight)
    await log.calls(8, 0.5)
    assert (
        await log.changed(CONFIG, tight)
        == [(CallOutcome("pets.list", 429, "rate_limited", ("minute",)), CallOutcome("pets.list", None))] * 2
    )
    assert await log.changed(CONFIG) == []  # what was used before the log began is not known
    log.clock.advance(120)
    await log.calls(8, 0.5)
    assert len(await log.changed(CONFIG)) == 2


async def test_the_log_may_begin_when_much_is_used() -> None:
    tight = edited(("{id: minute, max: 300", "{id: minute, max: 6"))
    log = Log(tight)
    await log.calls(6, 0.01)
    log.gateway.lines.clear()
    await log.calls(60, 2.5)
    assert await log.changed(tight) == []


async def test_quotas_are_charged_and_given_back() -> None:
    log = Log()
    await log.calls(3, 40.0, method="POST")
    assert await log.changed(CONFIG, CONFIG) == []
    one = edited(("kind: count, max: 2", "kind: count, max: 1"))
    changed = await log.changed(one)
    assert changed == [(CallOutcome("pets.list", None), CallOutcome("pets.list", 429, "quota_spent", ("starts",)))]
    three = edited(("kind: count, max: 2", "kind: count, max: 3"))
    assert await log.changed(three) == []  # what was used before the log began is not known
    assert [after for _, after in await log.changed(three, CONFIG)] == [CallOutcome("pets.list", None)]


def call(started_s: float, lasts_s: float, **changes: object) -> LoggedCall:
    ordinary = LoggedCall(
        started_s, started_s + lasts_s, "id", "GET", "/v1/pets", "192.0.2.7", "acme-ci", "acme",
        CallOutcome("pets.list", None), anonymous=False, limits_known=True, succeeded=True,
    )  # fmt: skip
    return ordinary._replace(**changes)  # type: ignore[arg-type]


async def replayed(config: Config, *calls: LoggedCall) -> list[ReplayedCall]:
    return [each async for each in replay(calls, compiled(config, ManualClock().clock))]


async def test_concurrency_lasts_as_long_as_calls() -> None:
    one = edited(
        ("- {id: free, limits: []}", "- {id: free, limits: []}\n- {id: one, limits: [], concurrency: {key: 1}}"),
        ("organizations: [acme, initech, gone]}", "organizations: [acme], plan: one}"),
    )
    found = await replayed(
        one, call(3.0, 1.0), call(0.0, 2.0), call(1.0, 1.0), call(5.0, 1.0, succeeded=False), call(5.9, 1.0)
    )
    assert [each.after.reason for each in found] == ["", "concurrency_exceeded", "", "", "concurrency_exceeded"]


async def test_what_redis_did_not_decide_is_not_compared() -> None:
    tight = edited(("{id: minute, max: 300", "{id: minute, max: 1"), (", cost: 2", ""))
    found = await replayed(tight, call(0.0, 0.1), call(1.0, 0.1, limits_known=False), call(2.0, 0.1))
    assert [each.after.status for each in found] == [None, None, 429]


async def test_a_verdict_within_the_slack_is_that_of_the_log() -> None:
    tight = edited(("{id: minute, max: 300", "{id: minute, max: 1"), (", cost: 2", ""))
    refused = CallOutcome("pets.list", 429, "rate_limited")
    found = await replayed(
        tight,
        call(0.0, 0.0),
        call(59.96, 0.0),
        call(119.98, 0.0, verdict=refused),
        call(120.02, 0.0),
        call(180.5, 0.0, verdict=refused),
        call(400.0, 0.0, verdict=refused),
    )
    assert [is_changed(each) for each in found] == [False, False, False, False, True, True]


async def test_a_running_gateway_may_say_what_was_before() -> None:
    log = Log()
    await log.calls(2, 1.0)
    found = await log.changed(CONFIG, baseline=lambda each: CallOutcome("older", None))
    assert [before.route for before, _ in found] == ["older"] * 2


def test_refusals_of_unknown_callers_are_alike() -> None:
    one = call(0.0, 0.0, anonymous=True)
    forbidden, missing = CallOutcome("pets.list", 403, "key_disabled"), CallOutcome("pets.list", 401, "key_missing")
    assert not is_changed(ReplayedCall(one, forbidden, missing))
    assert is_changed(ReplayedCall(call(0.0, 0.0), forbidden, missing))
    assert is_changed(ReplayedCall(one, forbidden, CallOutcome("pets.list", None)))
    spent = CallOutcome("pets.list", 429, "rate_limited", ("minute",))
    assert not is_changed(ReplayedCall(one, spent, CallOutcome("other", 429, "quota_spent", ("starts",))))


async def test_the_host_of_all_calls_may_be_named() -> None:
    hosted = edited(("{path: /v1/pets, methods", "{path: /v1/pets, host: api.example.com, methods"))
    parts, calls = compiled(hosted, ManualClock().clock), [call(0.0, 0.0)]
    for host, route in (("", "rest"), ("api.example.com", "pets.list")):
        (found,) = [each async for each in replay(calls, parts, host=host)]
        assert (found.after.route, found.after.status) == (route, None)
