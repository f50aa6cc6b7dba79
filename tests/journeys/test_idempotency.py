"""Calls with idempotency keys: two gateways with one Redis make each call once."""

from pathlib import Path

from tests.fakes import reply
from tests.gateway_process import KEY, configuration, running
from tests.journeys.backends import Service, ask, counts, enveloped
from tests.redis_server import RedisProcess

ROUTES = "[{id: orders, match: {prefix: /v1}, upstream: backend, idempotency: {ttl: 1h}}]"
FIELD = "Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324"


async def test_each_call_reaches_the_service_once_through_whichever_gateway(
    tmp_path: Path, redis_server: RedisProcess
) -> None:
    async with Service() as service:
        service.on("/v1/orders", reply(b'{"id":7}', status=b"201 Created"))
        text = configuration(
            service.port, routes=ROUTES, redis=f'{{url: "{redis_server.url}", timeout: 2s, on_failure: deny}}'
        )
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        with running(text, tmp_path / "a") as one, running(text, tmp_path / "b") as other:
            for gateway in (one, other):
                await gateway.line(lambda line: '"redis is up"' in line)
            first = await ask(one, "POST", "/v1/orders", FIELD, body=b'{"item":1}')
            again = await ask(other, "POST", "/v1/orders", FIELD, body=b'{"item":1}')
            wrong = await ask(other, "POST", "/v1/orders", FIELD, body=b'{"item":2}')
            assert (first.status, again.status, wrong.status) == (201, 201, 422)
            assert enveloped(first)["data"] == enveloped(again)["data"]
            assert (first.field("Idempotency-Replayed"), again.field("Idempotency-Replayed")) == (None, "true")
            assert len(service.at("/v1/orders")) == 1
            await counts(other, "gateway_idempotency_calls_total", 1, route="orders", result="replayed")
            record = await other.record("request_id", again.field("X-Request-Id"))
            assert record["gateway.idempotency"] == "replayed"
            names = [name for name in redis_server.ask("KEYS", "*") if name.endswith(b":idempotency")]
            assert len(names) == 1
            assert KEY.encode() not in names[0] + redis_server.ask("GET", names[0])
            assert b"8e03978e" not in names[0] + redis_server.ask("GET", names[0])
            redis_server.kill()
            refused = await ask(one, "POST", "/v1/orders", FIELD, body=b'{"item":1}')
            assert (refused.status, len(service.at("/v1/orders"))) == (503, 1)
