"""Explains a request in a worker, with the configuration in force and what is left of its limits."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from gateway.dry_run.explanation import report
from gateway.dry_run.limiter import PeekingLimiter
from gateway.dry_run.request import DryRequest
from gateway.dry_run.run import Compiled, DryRun, DryRunError
from gateway.kernel.clock import Clock
from gateway.kernel.faults import GatewayError
from gateway.limiter.interface import Decider
from gateway.stages.identify import CallerSource
from gateway.upstream.maintenance_switch import MaintenanceSwitch

_BY_ID = "name the key by its id: its secret must not be in a URL, and nobody can find out here whether it is one"


def explain_query(
    compiled: Compiled,
    limiter: Decider,
    clock: Clock,
    callers: CallerSource | None = None,
    maintenance: MaintenanceSwitch | None = None,
) -> Callable[[Mapping[str, str]], Awaitable[tuple[int, object]]]:
    """Return the handler of the question `explain`, whose parameter `request` is a DryRequest in JSON.

    `callers` and `maintenance` are as for `DryRun`.
    """
    dry_run = DryRun(compiled, PeekingLimiter(limiter, clock), clock, callers, maintenance)

    async def handle(parameters: Mapping[str, str]) -> tuple[int, object]:
        try:
            request = msgspec.json.decode(parameters["request"], type=DryRequest)
            key_header = str(compiled.credentials.key_header).lower()
            if any(name.lower() == key_header for name, _ in request.headers):
                return 400, {"error": _BY_ID}
            result = await dry_run.run(request)
            if any(result.x.query_keys):
                return 400, {"error": _BY_ID}
            return 200, await report(result, dry_run)
        except DryRunError as error:
            return 404, {"error": str(error)}
        except GatewayError as error:
            return 503, {"error": error.fault.developer_message}

    return handle
