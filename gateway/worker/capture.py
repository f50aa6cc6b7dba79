"""What is captured of failed exchanges by this worker, as the configuration asks for, and the query for it."""

from gateway.capture.capturer import Capturer, CaptureRules
from gateway.capture.captures import Captures
from gateway.settings import Config
from gateway.stages.prepare import ReadAhead
from gateway.system.clock import SYSTEM_CLOCK
from gateway.worker.query_server import QueryHandler, QueryParameters


def capture_of(config: Config, read_ahead: ReadAhead) -> tuple[Captures, Capturer | None]:
    """Return where captures are kept, and what captures; None without `observability.capture`.

    `read_ahead` is told how much of each body to keep for it.
    """
    captures, wanted, key = Captures(), config.observability.capture, config.auth.key
    if wanted is None:
        return captures, None
    names = (key.header, key.query)
    rules = CaptureRules(wanted.on, wanted.share, wanted.body, wanted.redact, names, wanted.max_per_second)
    capturer = Capturer(rules, captures, SYSTEM_CLOCK.wall)
    read_ahead.kept_bytes = capturer.kept_bytes
    return captures, capturer


def captures_query(captures: Captures) -> QueryHandler:
    """List what was captured, the oldest first; with `id` return all that was captured of that request."""

    async def answer(parameters: QueryParameters) -> tuple[int, object]:
        if "id" not in parameters:
            return 200, captures.summaries()
        found = captures.find(parameters["id"])
        return (200, found) if found is not None else (404, {"error": "nothing was captured of this request"})

    return answer
