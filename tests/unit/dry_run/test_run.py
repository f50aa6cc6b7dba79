"""dry_run/run.py: requests go through the stages of the gateway."""

from collections.abc import Awaitable
from pathlib import Path

import pytest

from gateway.dry_run.request import DryRequest
from gateway.dry_run.run import DryRun, DryRunError, compiled
from gateway.kernel.faults import KEY_UNKNOWN, GatewayError
from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.settings import parse
from gateway.table import Key
from gateway.upstream.call import Answer
from tests.clocks import ManualClock
from tests.dry_runs import CONFIG, SECRET, TEXT, dry_run


async def status(request: DryRequest, one: DryRun | None = None) -> int:
    x = (await (one or dry_run()).run(request)).x
    assert x.reply is not None
    return x.reply.status


async def test_a_key_is_named_by_its_id_or_shown() -> None:
    for request in (
        DryRequest(method="GET", target="/v1/pets", key_id="acme-ci"),
        DryRequest(method="GET", target="/v1/pets", headers=(("X-Api-Key", SECRET),)),
        DryRequest(method="GET", target=f"/v1/pets?X-Api-Key={SECRET}"),
    ):
        x = (await dry_run().run(request)).x
        assert x.caller is not None
        assert (x.caller.id, x.query) == ("acme-ci", "")
    assert await status(DryRequest(method="GET", target="/v1/pets", headers=(("X-Api-Key", "another"),))) == 401
    assert await status(DryRequest(method="GET", target="/v1/pets", key_id="off")) == 403
    both = DryRequest(method="GET", target="/v1/pets", key_id="acme-ci", headers=(("X-Api-Key", "another"),))
    assert await status(both) == 401
    assert await status(DryRequest(method="GET", target="/v1/pets", certificate_subject="CN=nobody")) == 401


async def test_what_does_not_exist_is_an_error() -> None:
    with pytest.raises(DryRunError, match="no key of this id"):
        await status(DryRequest(method="GET", target="/v1/pets", key_id="acme"))
    with pytest.raises(DryRunError, match="no listener `x`: public"):
        await status(DryRequest(method="GET", target="/v1/pets", listener="x"))


async def test_keys_may_be_looked_up_elsewhere_and_found_by_another() -> None:
    parts = compiled(CONFIG, ManualClock().clock)

    async def named(key_id: str) -> Key | None:
        return parts.credentials.keyring.named(key_id)

    class Nobody:
        def find(self, *_: object) -> Awaitable[object]:
            raise GatewayError(KEY_UNKNOWN)

        certified = find

    one = DryRun(parts._replace(named=named), LocalLimiter(ManualClock().clock), ManualClock().clock, Nobody())  # type: ignore[arg-type]
    assert await status(DryRequest(method="GET", target="/v1/pets", key_id="acme-ci"), one) == 200
    assert await status(DryRequest(method="GET", target="/v1/pets", headers=(("X-Api-Key", SECRET),)), one) == 401


async def test_the_service_may_answer_something() -> None:
    answer = Answer(404, [(b"content-type", b"application/json")], b'{"error": "no pet"}', None, 19, "")
    x = (await dry_run().run(DryRequest(method="GET", target="/v1/pets/7", key_id="acme-ci"), answer)).x
    assert x.reply is not None
    assert (x.reply.status, x.reply.code) == (404, 1001)


async def test_amounts_that_nobody_reports_are_no_error() -> None:
    text = TEXT.replace("kind: count, max: 2", "kind: sum, max: 2, amount: {header: X-Bytes}")
    one = dry_run(parse(text), limiter=LocalLimiter(ManualClock().clock))
    assert await status(DryRequest(method="POST", target="/v1/pets", key_id="acme-ci"), one) == 200


LISTENERS = """
server:
  limits_path: /limits
  listeners:
  - {id: plain, address: "127.0.0.1:8080", redirect: https}
  - {id: trusting, address: "127.0.0.1:8081", trusted_proxies: [10.0.0.0/8]}
"""


async def test_the_first_listener_that_does_not_redirect_is_the_default() -> None:
    one = dry_run(parse(TEXT.replace("server: {limits_path: /limits}", LISTENERS)))
    request = DryRequest(method="GET", target="/status", client="10.1.1.1", headers=(("X-Forwarded-For", "192.0.2.9"),))
    result = await one.run(request)
    assert (result.listener.id, result.x.client) == ("trusting", "192.0.2.9")
    assert await status(DryRequest(method="GET", target="/status", listener="plain"), one) == 308
    only = dry_run(parse(TEXT.replace("server: {limits_path: /limits}", "\n".join(LISTENERS.split("\n")[:-2]))))
    assert await status(DryRequest(method="GET", target="/status"), only) == 308


async def test_a_bug_is_raised() -> None:
    class Broken(LocalLimiter):
        async def decide(self, claim: Claim) -> Decision:
            raise ZeroDivisionError

    one = DryRun(compiled(CONFIG, ManualClock().clock), Broken(ManualClock().clock), ManualClock().clock)
    with pytest.raises(ZeroDivisionError):
        await one.run(DryRequest(method="GET", target="/v1/pets", key_id="acme-ci"))


DOCUMENT = """\
openapi: 3.1.0
info: {title: Pets, version: "1"}
paths:
  /v1/pets:
    post:
      operationId: createPet
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [name]}}}
      responses: {"201": {description: made}}
"""


async def test_requests_are_checked_by_the_document_of_their_api(tmp_path: Path) -> None:
    file = tmp_path / "pets.yaml"
    file.write_text(DOCUMENT)
    request = f"request: {{openapi: {file}, operation: createPet}}"
    config = parse(TEXT.replace("methods: [GET, POST]}, upstream", f"methods: [GET, POST]}}, {request}, upstream"))
    typed = (("Content-Type", "application/json"),)
    for body, contracts, expected in (("{}", True, 400), ('{"name": "Rex"}', True, 200), ("{}", False, 200)):
        clock = ManualClock().clock
        one = DryRun(compiled(config, clock, contracts=contracts), LocalLimiter(clock), clock)
        dry = DryRequest(method="POST", target="/v1/pets", key_id="acme-ci", headers=typed, body=body)
        assert await status(dry, one) == expected
