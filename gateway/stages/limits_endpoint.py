"""The endpoint that the gateway serves itself: a caller's limits, at no cost."""

from typing import Any

import msgspec

from gateway.exchange import Exchange, Reply
from gateway.kernel.envelope.write import success
from gateway.kernel.http.response_headers import JSON_TYPE
from gateway.kernel.http.status_rules import NO_STORE
from gateway.kernel.limits.token_bucket import Decision
from gateway.table import Caller
from gateway.usage.report import Accounts


async def limits_endpoint(x: Exchange, caller: Caller, decision: Decision, accounts: Accounts) -> Reply:
    """Return the account of `caller` as a reply.

    `decision` holds the state of the caller's own limits and was made at no cost. Raises what `Limiter.decide` raises.
    """
    x.peeked = True
    account = msgspec.to_builtins(await accounts.of(caller, decision))
    return Reply(200, [JSON_TYPE, NO_STORE], success(x.request_id, msgspec.json.encode(_with_camel_case(account))))


def _with_camel_case(value: Any) -> Any:
    """Return `value` with member names as the contract spells them, such as `perSeconds`."""
    if isinstance(value, dict):
        return {_camel(name): _with_camel_case(each) for name, each in value.items()}
    return [_with_camel_case(each) for each in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
