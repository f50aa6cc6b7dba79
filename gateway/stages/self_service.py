"""The endpoint where a caller is shown its own key, and the one where it gets a new secret for it."""

from typing import Any

import msgspec

from gateway.exchange import Exchange, Reply
from gateway.kernel.envelope.write import success
from gateway.kernel.faults import (
    BODY_TOO_LARGE,
    KEY_UNKNOWN,
    KEY_UNUSABLE,
    KEYS_UNAVAILABLE,
    MEDIA_TYPE_UNSUPPORTED,
    REQUEST_INVALID,
    Detail,
    Fault,
    GatewayError,
)
from gateway.kernel.http.response_headers import JSON_TYPE
from gateway.kernel.http.status_rules import NO_STORE
from gateway.kernel.units import parse_duration
from gateway.key_management.edits import OVERLAP_S
from gateway.key_management.own_key import OwnKeys
from gateway.key_management.registry_access import KeyChangeError, KeyChangeReason
from gateway.redis_client.address import RedisConnectionError
from gateway.table import Caller

MOST_BODY_BYTES = 1024
SHORTEST_OVERLAP_S, LONGEST_OVERLAP_S = 60.0, 30 * 86400.0
"""With no overlap at all, a holder to whom the reply is lost would be locked out."""
_OVERLAP = Detail("write a duration from 1m to 30d, such as `24h`", "overlap")
_FAULTS: dict[KeyChangeReason, Fault] = {"invalid": REQUEST_INVALID, "unknown": KEY_UNKNOWN}


async def self_service(x: Exchange, caller: Caller, keys: OwnKeys) -> Reply:
    """Show the key of `caller`, or rotate it for a POST. Raises GatewayError, and what reading the body raises."""
    overlap_s = await _overlap_in(x) if x.method == "POST" else 0.0
    try:
        if x.method == "POST":
            new = await keys.rotate(caller.id, overlap_s, x.client)
            result: dict[str, Any] = {"id": caller.id, "secret": new.secret, "oldValidUntil": new.old_valid_until}
        else:
            result = await keys.show(caller.id)
    except KeyChangeError as error:
        fault = _FAULTS.get(error.reason, KEYS_UNAVAILABLE)
        details = (Detail(str(error)),) if fault is REQUEST_INVALID else ()
        raise GatewayError(fault, details=details, cause=error.reason) from None
    except RedisConnectionError as error:
        raise GatewayError(KEYS_UNAVAILABLE, cause=str(error)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise GatewayError(KEY_UNUSABLE) from None
    return Reply(200, [JSON_TYPE, NO_STORE], success(x.request_id, msgspec.json.encode(result)))


async def _overlap_in(x: Exchange) -> float:
    """Return how long the old secret is to be valid, in seconds."""
    body = await _read(x)
    if not body.strip() or body.strip() == b"null":
        return OVERLAP_S
    media_type = (x.headers.get("Content-Type") or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise GatewayError(MEDIA_TYPE_UNSUPPORTED, details=(Detail("Send application/json."),))
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _invalid(Detail("The body is not a JSON object.")) from None
    details = [Detail("`overlap` is the only member of the body.")] if found.keys() - {"overlap"} else []
    overlap_s = _seconds(found.get("overlap"))
    if overlap_s is None:
        details.append(_OVERLAP)
    if details or overlap_s is None:
        raise _invalid(*details)
    return overlap_s


def _seconds(written: object) -> float | None:
    """Return a duration, None for one that is not accepted."""
    if written is None:
        return OVERLAP_S
    try:
        overlap_s = parse_duration(written) if isinstance(written, str) else 0.0
    except ValueError:
        return None
    return overlap_s if SHORTEST_OVERLAP_S <= overlap_s <= LONGEST_OVERLAP_S else None


def _invalid(*details: Detail) -> GatewayError:
    return GatewayError(REQUEST_INVALID, details=details)


async def _read(x: Exchange) -> bytes:
    body = x.body
    if body is None:
        return b""
    content = b""
    try:
        while piece := await body.read():
            content += piece
            if len(content) > MOST_BODY_BYTES:
                raise GatewayError(BODY_TOO_LARGE)
    finally:
        x.client_s = body.waited_s
    return content
