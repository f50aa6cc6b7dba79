"""What is changed over the admin listener, by a signal or by `gateway keys` is in the audit trail, without secrets."""

import hashlib
import json
import re
import signal
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from jsonschema import Draft202012Validator

from gateway.cli import main
from gateway.system.users import user_name
from tests.fakes import until
from tests.gateway_process import GatewayProcess, running
from tests.journeys.multi_worker import TOKEN, written
from tests.redis_server import RedisProcess

BEARER = {"Authorization": f"Bearer {TOKEN}"}
SWITCHED_OFF = {"/usage", "/captures/{id}"}
"""What the configuration of this gateway does not ask for, which is answered by an error."""
ENDLESS = {"/tail"}
UUID = "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"


def command(gateway: GatewayProcess, *arguments: str) -> str:
    runner = CliRunner(env={"GATEWAY_ADMIN": f"127.0.0.1:{gateway.admin_port}", "GATEWAY_ADMIN_TOKEN": TOKEN})
    done = runner.invoke(main, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def records(gateway: GatewayProcess, *arguments: str) -> list[dict[str, Any]]:
    page = json.loads(command(gateway, "audit", *arguments, "--output", "json"))
    assert page["scope"] == "fleet"
    found: list[dict[str, Any]] = page["records"]
    return found


def logged(gateway: GatewayProcess) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in gateway.lines if '"event":"audit"' in line]
    return [{name: line[name] for name in line if name not in ("timestamp", "level", "event")} for line in lines]


QUERIES = {"/limits": "?key=acme-ci", "/explain": "?method=GET&target=/v1/x", "/requests/{id}": ""}


def check_replies(gateway: GatewayProcess) -> None:
    """Every page replies as the OpenAPI document of the admin listener says."""
    document = json.loads(gateway.admin("/openapi.json")[1])
    for path, item in document["paths"].items():
        if "get" not in item or path in ENDLESS:
            continue
        concrete = path.replace("/requests/{id}", f"/requests/{UUID}").replace("{id}", "acme-ci")
        status, body = gateway.admin(concrete + QUERIES.get(path, ""), "GET", BEARER)
        error = document["components"]["responses"]["Error"]
        assert status == 200 or path in SWITCHED_OFF, path
        content = item["get"]["responses"].get(str(status), error)["content"]
        if "application/json" in content:
            schema = {**content["application/json"]["schema"], "components": document["components"]}
            Draft202012Validator(schema).validate(json.loads(body))


async def test_every_change_is_recorded(tmp_path: Path, redis_server: RedisProcess) -> None:
    yaml = written(1, redis=redis_server, keys="{store: redis}")
    with running(yaml, tmp_path) as gateway:
        file = str(tmp_path / "gateway.yaml")
        made = json.loads(command(gateway, "keys", "create", "--id", "acme-ci", "-c", file, "--output", "json"))[
            "secret"
        ]
        command(gateway, "keys", "update", "acme-ci", "--expires", "2099-01-01T00:00:00Z", "-c", file, "--yes")
        rotated = command(gateway, "keys", "rotate", "acme-ci", "-c", file, "--output", "json")
        created = json.loads(gateway.admin("/keys", "POST", BEARER)[1])
        assert gateway.admin(f"/keys/{created['id']}", "DELETE", BEARER)[0] == 200
        command(gateway, "limits", "reset", "acme-ci")
        command(gateway, "maintenance", "on")
        command(gateway, "maintenance", "off")
        command(gateway, "reload", "--wait")
        (tmp_path / "gateway.yaml").write_text("version: 2\n")
        gateway.signal(signal.SIGHUP)
        await until(lambda: len(records(gateway)) == 10, 20.0)
        found = records(gateway)
        check_replies(gateway)
        assert [(record["action"], record["object"], record["outcome"]) for record in found] == [
            ("reload", "configuration", "refused"),
            ("reload", "configuration", "done"),
            ("maintenance.switch", "maintenance", "done"),
            ("maintenance.switch", "maintenance", "done"),
            ("limits.reset", "acme-ci", "done"),
            ("keys.delete", created["id"], "done"),
            ("keys.create", created["id"], "done"),
            ("keys.rotate", "acme-ci", "done"),
            ("keys.update", "acme-ci", "done"),
            ("keys.create", "acme-ci", "done"),
        ]
        assert found[0]["who"] == "SIGHUP"
        assert found[1]["who"].startswith(f"admin.token ({user_name()}@")
        assert found[1]["from"] == "127.0.0.1"
        assert found[2]["after"] == {"maintenance": "off"}
        assert found[8]["after"] == {"expires": "2099-01-01T00:00:00Z"}
        assert found[9]["who"] == user_name()
        assert records(gateway, "--object", "acme-*", "--action", "keys.*", "--limit", "1") == [found[7]]
        await until(lambda: len(logged(gateway)) == 10, 20.0)
        assert sorted(logged(gateway), key=lambda line: str(line["id"])) == sorted(
            found, key=lambda each: str(each["id"])
        )
        secrets = [made, created["secret"], *re.findall(r"gw_\w{38}", rotated)]
        hidden = [*secrets, *(hashlib.sha256(secret.encode()).hexdigest() for secret in secrets), TOKEN]
        stream = redis_server.ask("DUMP", "gw:1:{keys}:audit") + json.dumps(found).encode()
        assert [text for text in hidden if text.encode() in stream] == []
        assert [text for text in hidden if any(text in line for line in gateway.lines)] == []
