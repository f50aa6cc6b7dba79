"""The OpenAPI document of the admin listener describes exactly what that serves: gateway/admin/openapi.yaml."""

from collections.abc import Iterator
from typing import Any

from openapi_spec_validator import validate

from gateway.admin.description_view import admin_api
from gateway.admin.listener import AdminListener
from gateway.settings import parse
from gateway.settings.schema.access import KeySettings
from gateway.supervisor.supervisor import Supervisor
from gateway.table.snapshot import compile_snapshot
from tests.yaml_files import LEAST

METHODS = ("get", "post", "put", "patch", "delete")


def served(admin: AdminListener) -> Iterator[str]:
    yield from (f"GET {path}" for path in admin.views)
    yield from (f"POST {path}" for path in admin.changes)
    yield from (f"{method} {path}" for path, handlers in admin.resources.items() for method in handlers)


def operations() -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path.replace('{id}', '') if path == '/requests/{id}' else path}": item[method]
        for path, item in admin_api()["paths"].items()
        for method in METHODS
        if method in item
    }


def test_it_is_a_valid_document() -> None:
    validate(admin_api())


async def test_everything_that_is_served_is_described_and_nothing_else() -> None:
    config = parse(LEAST)
    supervisor = Supervisor(compile_snapshot(config, None, "x"), lambda: (config, None), 10.0, {}, None)
    described, is_served = {*operations()}, {*served(supervisor.admin)}
    assert is_served - described == set(), "describe it in gateway/admin/openapi.yaml"
    assert described - is_served == set()


def test_changes_and_keys_need_the_token() -> None:
    open_to_all = {name for name, operation in operations().items() if "security" not in operation}
    assert all(name.startswith("GET ") and "/keys" not in name for name in open_to_all)


def test_the_fields_of_a_key_are_those_of_the_configuration() -> None:
    schemas = admin_api()["components"]["schemas"]
    assert set(schemas["KeyFields"]["properties"]) == set(KeySettings.model_fields) - {"secret_sha256"}
    assert set(schemas["KeyPatch"]["properties"]) == set(schemas["KeyFields"]["properties"])


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)
