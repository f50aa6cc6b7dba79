"""Changes that take one target of an upstream out of service for a while, and bring it back, for all workers."""

import os
from collections.abc import Callable

from aiohttp import web

from gateway.admin.actor import actor_of
from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.audit.records import AuditEntry
from gateway.audit.trail import AuditTrail
from gateway.history.target_events import state_of
from gateway.kernel.clock import Clock
from gateway.settings.schema.values import positive_duration
from gateway.table.snapshot import Snapshot
from gateway.upstream.shared_state import TargetRow, UpstreamRow

DEFAULT_DURATION = "15m"
LONGEST_S = 86_400.0


class _RefusedChangeError(Exception):
    """Why nothing was changed; `status` is that of the reply."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class TargetChanges:
    """Ejects targets of the configuration in force, and returns them. Each change is recorded in `trail`."""

    def __init__(self, snapshot: Callable[[], Snapshot], trail: AuditTrail, clock: Clock) -> None:
        self._snapshot = snapshot
        self._trail = trail
        self._clock = clock

    def handlers(self) -> dict[str, View]:
        """Return the changes by path."""
        return {"/targets/eject": self.eject, "/targets/return": self.give_back}

    async def eject(self, request: web.BaseRequest) -> web.Response:
        """Eject a target for the duration `for`. The last target that is called is never ejected."""
        try:
            upstream, url, row, target = self._find(request)
            for_s = _duration_s(request.query.get("for", DEFAULT_DURATION))
            now = self._clock.monotonic()
            if not any(each.up(now) and not each.ejections for each in row.targets if each is not target):
                raise _RefusedChangeError(409, "no other target of this upstream is up: the last one is not ejected")
        except _RefusedChangeError as error:
            return json_reply(error.status, {"error": str(error)})
        before = state_of(target, now)
        row.eject_by_hand(target, now + for_s, os.getpid())
        return self._done(request, "targets.eject", f"{upstream} {url}", before, {"state": "ejected", "for_s": for_s})

    async def give_back(self, request: web.BaseRequest) -> web.Response:
        """End the ejection of a target, whoever has ejected it."""
        try:
            upstream, url, row, target = self._find(request)
        except _RefusedChangeError as error:
            return json_reply(error.status, {"error": str(error)})
        now = self._clock.monotonic()
        before = state_of(target, now)
        if target.down:
            return json_reply(409, {"error": "its health checks fail: it is called again when they pass"})
        row.return_by_hand(target, now)
        return self._done(request, "targets.return", f"{upstream} {url}", before, {"state": state_of(target, now)})

    def _find(self, request: web.BaseRequest) -> tuple[str, str, UpstreamRow, TargetRow]:
        """Return what the parameters `upstream` and `target` name. Raises _RefusedChangeError."""
        name, wanted = request.query.get("upstream", ""), request.query.get("target", "")
        if not (name and wanted):
            raise _RefusedChangeError(400, "say which target: ?upstream=ID&target=URL")
        snapshot = self._snapshot()
        for upstream in snapshot.config.upstreams:
            if upstream.id != name:
                continue
            row = snapshot.shared_state.upstreams[name]
            for target, each in zip(upstream.targets, row.targets, strict=True):
                if wanted in (str(target.url), target.url.label):
                    return name, str(target.url), row, each
            raise _RefusedChangeError(404, "the upstream has no such target")
        raise _RefusedChangeError(404, "there is no such upstream")

    def _done(
        self, request: web.BaseRequest, action: str, name: str, before: str, after: dict[str, object]
    ) -> web.Response:
        self._trail.record(AuditEntry(actor_of(request), action, name, {"state": before}, after))
        return json_reply(200, {"target": name, **after})


def _duration_s(text: str) -> float:
    try:
        seconds = positive_duration(text)
    except ValueError as error:
        raise _RefusedChangeError(400, f"for: {error}") from error
    if seconds > LONGEST_S:
        raise _RefusedChangeError(400, "for: a day at most; take it out of the configuration for longer")
    return seconds
