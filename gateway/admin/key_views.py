"""Keys in Redis over HTTP: shown, created, changed, rotated and deleted, by the rules of `gateway keys`."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec
from aiohttp import web

from gateway.admin.actor import actor_of
from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.admin.request_input import BadRequestError, check_parameters, json_object, limit_in
from gateway.audit.records import AuditRecord
from gateway.audit.trail import AuditTrail
from gateway.kernel.units import parse_duration
from gateway.key_management import secret
from gateway.key_management.edits import (
    OVERLAP_S,
    apply_update,
    create_key,
    delete_key,
    existing,
    plan_update,
    rotate_key,
)
from gateway.key_management.fields import check_key, merged
from gateway.key_management.listing import KeySelection, listed, shown
from gateway.key_management.registry_access import KeyChangeError, KeyChangeReason, open_registry
from gateway.keystore.key_audit import KeyAuthor
from gateway.keystore.registry import KeyRegistry
from gateway.settings import Config
from gateway.system.one_shot_thread import Threads

LISTED, MOST_LISTED = 100, 1000
STATUSES: dict[KeyChangeReason, HTTPStatus] = {
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unknown": HTTPStatus.NOT_FOUND,
    "taken": HTTPStatus.CONFLICT,
    "conflict": HTTPStatus.CONFLICT,
    "no_store": HTTPStatus.CONFLICT,
    "unreadable": HTTPStatus.INTERNAL_SERVER_ERROR,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
_RETRY_AFTER = "1"

_Work: TypeAlias = Callable[[Config, KeyRegistry, list[AuditRecord]], dict[str, Any]]
"""Works on the keys of a configuration in a thread, and adds to the list what is recorded of its changes."""


class KeyResources:
    """Handles requests about the keys of the configuration in force, in threads, as Redis may be slow."""

    def __init__(self, config: Callable[[], Config], threads: Threads, trail: AuditTrail) -> None:
        self._config = config
        self._threads = threads
        self._trail = trail

    def handlers(self) -> dict[str, dict[str, View]]:
        """Return the handlers by path and method."""
        handlers: dict[str, dict[str, Callable[[web.BaseRequest], Awaitable[web.Response]]]] = {
            "/keys": {"GET": self._list, "POST": self._create},
            "/keys/{id}": {"GET": self._show, "PATCH": self._update, "DELETE": self._delete},
            "/keys/{id}/rotate": {"POST": self._rotate},
        }
        return {path: {method: _with_errors(view) for method, view in each.items()} for path, each in handlers.items()}

    async def _list(self, request: web.BaseRequest) -> web.Response:
        check_parameters(request, ("limit", "after", "organization"))
        asked = request.query
        selection = KeySelection(
            limit_in(request, LISTED, MOST_LISTED), asked.get("after", ""), asked.get("organization")
        )
        return json_reply(200, await self._run(lambda _, registry, __: listed(registry, selection)))

    async def _show(self, request: web.BaseRequest) -> web.Response:
        check_parameters(request)
        return json_reply(200, await self._run(lambda _, registry, __: shown(registry, _id_in(request))))

    async def _create(self, request: web.BaseRequest) -> web.Response:
        check_parameters(request)
        made, fields, author = secret.create(), await json_object(request), self._author(request, "create")
        key = {"id": secret.default_id(made), **{name: value for name, value in fields.items() if value is not None}}

        def create(config: Config, registry: KeyRegistry, records: list[AuditRecord]) -> dict[str, Any]:
            if "secret_sha256" in key:
                raise KeyChangeError("invalid", "secret_sha256: secrets are made here; leave it out")
            check_key(config, key)
            records += create_key(registry, author, key, made).records
            return {"id": key["id"], "secret": made, "key": shown(registry, key["id"])}

        return json_reply(201, await self._run(create), Location=f"/keys/{key['id']}")

    async def _update(self, request: web.BaseRequest) -> web.Response:
        check_parameters(request, ("dry_run",))
        key_id, patch, author = _id_in(request), await json_object(request), self._author(request, "update")
        is_dry = "dry_run" in request.query

        def update(config: Config, registry: KeyRegistry, records: list[AuditRecord]) -> dict[str, Any]:
            before = existing(registry.find(key_id), key_id)
            planned = plan_update(config, before, merged(before.key, patch))
            if is_changed := planned.after != before and not is_dry:
                records += apply_update(registry, author, planned)
            changes = [msgspec.to_builtins(change) for change in planned.changes]
            return {"id": key_id, "changed": is_changed, "changes": changes, "key": shown(registry, key_id)}

        return json_reply(200, await self._run(update))

    async def _delete(self, request: web.BaseRequest) -> web.Response:
        check_parameters(request)
        key_id, author = _id_in(request), self._author(request, "delete")

        def delete(_: Config, registry: KeyRegistry, records: list[AuditRecord]) -> dict[str, Any]:
            records += delete_key(registry, author, key_id)
            return {"id": key_id, "deleted": True}

        return json_reply(200, await self._run(delete))

    async def _rotate(self, request: web.BaseRequest) -> web.Response:
        check_parameters(request)
        key_id, author, overlap_s = (
            _id_in(request),
            self._author(request, "rotate"),
            _overlap(await json_object(request)),
        )

        def rotate(_: Config, registry: KeyRegistry, records: list[AuditRecord]) -> dict[str, Any]:
            new = rotate_key(registry, author, key_id, overlap_s)
            records += new.records
            return {"id": key_id, "secret": new.secret, "old_valid_until": new.old_valid_until}

        return json_reply(200, await self._run(rotate))

    async def _run(self, work: _Work) -> dict[str, Any]:
        """Return the result of `work`, which records what it has changed in the list that it is given."""
        config, records = self._config(), list[AuditRecord]()

        def run() -> dict[str, Any]:
            with open_registry(config) as registry:
                return work(config, registry, records)

        try:
            return await self._threads.run(run)
        finally:
            for record in records:
                self._trail.note(record)

    def _author(self, request: web.BaseRequest, action: str) -> KeyAuthor:
        return KeyAuthor(actor_of(request), f"keys.{action}", self._trail.gateway)


def _with_errors(view: Callable[[web.BaseRequest], Awaitable[web.Response]]) -> View:
    """Return `view` with replies for what goes wrong."""

    async def handle(request: web.BaseRequest) -> web.Response:
        try:
            return await view(request)
        except BadRequestError as error:
            return json_reply(error.status, {"error": str(error)})
        except KeyChangeError as error:
            return _error_reply(error)
        except OSError as error:  # no thread can be started
            return _error_reply(KeyChangeError("unavailable", str(error)))

    return handle


def _error_reply(error: KeyChangeError) -> web.Response:
    status = STATUSES[error.reason]
    if error.reason == "invalid":
        return json_reply(status, {"error": "this is no valid key", "problems": list(error.problems)})
    if error.reason == "unavailable":
        body: dict[str, object] = {
            "error": str(error),
            "hint": "if the connection was lost on the way, the change may have been made: look at the key first",
        }
        return json_reply(status, body, Retry_After=_RETRY_AFTER)
    return json_reply(status, {"error": str(error)})


def _id_in(request: web.BaseRequest) -> str:
    return request.path.split("/")[2]


def _overlap(body: dict[str, Any]) -> float:
    """Return how long the old secret is to be valid, in seconds."""
    problems = [f"{name}: unknown key" for name in body if name != "overlap"]
    written = body.get("overlap")
    overlap_s = OVERLAP_S
    if written is not None:
        try:
            overlap_s = parse_duration(written) if isinstance(written, str) else _no_duration()
        except ValueError as error:
            problems.append(f"overlap: {error}")
    if problems:
        raise KeyChangeError("invalid", *problems)
    return overlap_s


def _no_duration() -> float:
    raise ValueError("write a duration such as `24h`")
