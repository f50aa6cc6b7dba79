"""Runs the cases of `gateway test`, each with limits of which nothing is used, and compares."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.config_diff.inventory import MASK, is_secret
from gateway.dry_run.cases import Case, Expectation, ExpectedCall, ReadCases
from gateway.dry_run.delivery import upstream_of
from gateway.dry_run.run import Compiled, DryResult, DryRun, DryRunError
from gateway.kernel.clock import Clock
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.settings.positions import Loc, spell
from gateway.upstream.call import Call
from gateway.upstream.http1.framing import request_head


class Mismatch(msgspec.Struct, frozen=True):
    """One thing that is not as expected. `where` is `file:line:col`."""

    where: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Return the line for people."""
        return f"{self.where}: {self.what}: expected {self.expected}, got {self.found}"


class CaseResult(msgspec.Struct, frozen=True):
    """A case, the route that took its request, and what is not as expected; nothing for a case that passes."""

    name: str
    where: str
    route: str | None
    mismatches: list[Mismatch]


class _Compared(NamedTuple):
    """`field` is the name of the header field that is compared, "" for other things."""

    loc: Loc
    expected: object
    found: object
    field: str = ""


async def run_cases(read: ReadCases, parts: Compiled, clock: Clock) -> list[CaseResult]:
    """Run all cases in their order. Time stands still meanwhile, so that no limit is refilled."""
    monotonic_s, wall_s = clock.monotonic(), clock.wall()
    standing_still = Clock(lambda: monotonic_s, lambda: wall_s)
    return [await _run(read, index, case, parts, standing_still) for index, case in enumerate(read.cases)]


def uncovered(results: list[CaseResult], parts: Compiled) -> list[str]:
    """Return the ids of the routes that no case has led to, in the order of the configuration."""
    reached = {result.route for result in results}
    return [route.id for route in parts.config.routes if route.id not in reached]


async def _run(read: ReadCases, index: int, case: Case, parts: Compiled, clock: Clock) -> CaseResult:
    where = read.where(("cases", index))
    request = case.request.dry_request()
    name = case.name or f"{request.method} {request.target}"
    dry_run = DryRun(parts, LocalLimiter(clock), clock)
    try:
        for _ in range(case.request.repeat - 1):
            await dry_run.run(request, case.service.answer())
        result = await dry_run.run(request, case.service.answer())
    except DryRunError as error:
        at = read.where(("cases", index, "request"))
        return CaseResult(name, where, None, [Mismatch(at, "request", "one that can be made", str(error))])
    mismatches = [
        Mismatch(read.where(("cases", index, "expect", *each.loc)), spell(each.loc), *_shown(each))
        for each in _compared(case.expect, result, parts)
        if each.expected != each.found
    ]
    return CaseResult(name, where, result.x.route.id if result.x.route else None, mismatches)


def _shown(each: _Compared) -> tuple[str, str]:
    expected, found = ("nothing" if value is None else str(value) for value in (each.expected, each.found))
    return expected, MASK if each.found is not None and is_secret(each.field, found) else found


def _compared(expect: Expectation, result: DryResult, parts: Compiled) -> Iterator[_Compared]:
    x = result.x
    reply = x.reply
    assert reply is not None
    found: Mapping[str, Callable[[], object]] = {
        "route": lambda: x.route.id if x.route else None,
        "status": lambda: reply.status,
        "code": lambda: reply.code or None,
        "reason": lambda: x.error.fault.name if x.error else None,
    }
    for name, value in found.items():
        if name in expect.model_fields_set:
            yield _Compared((name,), getattr(expect, name), value())
    yield from _fields((), expect.headers, expect.without, reply.all_fields())
    call = None if result.table.unsent is None else result.table.unsent.call
    if expect.forwarded is not None:
        yield _Compared(("forwarded",), expect.forwarded, call is not None)
    if expect.upstream is not None:
        yield from _upstream(expect.upstream, call, result, parts)


def _upstream(wanted: ExpectedCall, call: Call | None, result: DryResult, parts: Compiled) -> Iterator[_Compared]:
    unsent = result.table.unsent
    if call is None or unsent is None:
        yield _Compared(("upstream",), "a call", None)
        return
    route = next((each for each in parts.config.routes if result.x.route and each.id == result.x.route.id), None)
    upstream = unsent.id if route is None else upstream_of(route, call.caller)
    target = parts.upstreams[upstream].targets[0]
    lines = request_head(call, target.origin, len(call.body) if isinstance(call.body, bytes) else None)
    first, *rest = lines.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    if wanted.id is not None:
        yield _Compared(("upstream", "id"), wanted.id, upstream)
    if wanted.path is not None:
        yield _Compared(("upstream", "path"), wanted.path, first.split(" ")[1])
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in rest)]
    yield from _fields(("upstream",), wanted.headers, wanted.without, fields)


def _fields(
    loc: Loc, wanted: Mapping[str, str], without: Sequence[str], fields: Sequence[tuple[str, str]]
) -> Iterator[_Compared]:
    def value_of(name: str) -> str | None:
        values = [each for other, each in fields if other.lower() == name.lower()]
        return ", ".join(values) if values else None

    for name, value in wanted.items():
        yield _Compared((*loc, "headers", name), value, value_of(name), name)
    for index, name in enumerate(without):
        yield _Compared((*loc, "without", index), None, value_of(name), name)
