"""What the gateway itself answers: a caller's limits, without spending any."""

from typing import Any

import msgspec

from gateway.exchange import Exchange, Reply
from gateway.kernel.envelope.write import success
from gateway.kernel.http.response_headers import JSON_TYPE
from gateway.kernel.http.status_rules import NO_STORE
from gateway.kernel.limits.token_bucket import Decision
from gateway.table import Caller
from gateway.usage.report import Accounts


async def tell(x: Exchange, caller: Caller, decision: Decision, accounts: Accounts) -> Reply:
    """The account of `caller`; `decision` is about its own limits, at no cost. Raises what deciding raises."""
    x.looked = True
    account = msgspec.to_builtins(await accounts.of(caller, decision))
    return Reply(200, [JSON_TYPE, NO_STORE], success(x.request_id, msgspec.json.encode(_in_camels(account))))


def _in_camels(value: Any) -> Any:
    """With names as the contract spells them: `perSeconds`."""
    if isinstance(value, dict):
        return {_camel(name): _in_camels(each) for name, each in value.items()}
    return [_in_camels(each) for each in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
