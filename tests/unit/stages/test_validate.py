"""Requests are checked before anything of them reaches the service, and passed on byte for byte."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange import Exchange
from gateway.kernel.faults import REQUEST_TIMEOUT, GatewayError
from gateway.net.loop_budget import LoopBudget
from gateway.openapi.request_contract import RequestContract
from gateway.stages.prepare import ReadAhead
from gateway.stages.validate import validate
from tests.contract_documents import contract
from tests.samples import exchange

GOOD = b'{"name": "Rex", "kind": "dog"}'
JSON = [("Content-Type", "application/json")]


class Pieces:
    """A body that arrives in pieces; an error is raised in its turn."""

    def __init__(self, pieces: Sequence[bytes | GatewayError], *, length: int | None = None) -> None:
        self._pieces = list(pieces)
        self.length = length
        self.received = 0
        self.waited_s = 0.0

    def take_whole(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        self.waited_s += 0.25
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, GatewayError):
            raise piece
        self.received += len(piece)
        return piece


def chunked(*pieces: bytes | GatewayError) -> Pieces:
    return Pieces(pieces)


def sized(content: bytes) -> Pieces:
    return Pieces([content], length=len(content))


def posted(body: Pieces | None, fields: Any = JSON, **changes: Any) -> Exchange:
    return exchange(fields, method="POST", path="/v1/pets", body=body, **changes)


@pytest.fixture
def create(tmp_path: Path) -> RequestContract:
    return contract(tmp_path, "{openapi: pets.yaml, operation: createPet, unknown_fields: refuse, max_body: 200KiB}")


@pytest.fixture
def shadow(tmp_path: Path) -> RequestContract:
    return contract(tmp_path, "{openapi: pets.yaml, operation: createPet, mode: shadow, max_body: 1KiB}")


async def refused(x: Exchange, checked: RequestContract, budget: ReadAhead | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await validate(x, checked, budget or ReadAhead(), LoopBudget())
    return caught.value


async def read(x: Exchange) -> bytes:
    assert x.body is not None
    pieces = []
    while piece := await x.body.read():
        pieces.append(piece)
    return b"".join(pieces)


async def test_a_valid_body_is_passed_on_as_it_came(create: RequestContract) -> None:
    for body in (sized(GOOD), chunked(GOOD[:5], GOOD[5:])):
        x = posted(body)
        await validate(x, create, ReadAhead(), LoopBudget())
        assert x.body is not None
        assert (x.body.length, x.body.received, x.body.waited_s) == (len(GOOD), len(GOOD), body.waited_s)
        assert x.client_s == body.waited_s
        assert await read(x) == GOOD
        assert x.request_faults == 0


async def test_other_methods_are_not_checked(create: RequestContract) -> None:
    x = exchange(method="GET", path="/v1/pets")
    await validate(x, create, ReadAhead(), LoopBudget())
    assert x.request_faults == 0


async def test_faults(create: RequestContract) -> None:
    x = posted(sized(b'{"kind": 1}'))
    error = await refused(x, create)
    assert (error.fault.name, x.request_faults) == ("request_invalid", 2)
    assert (await refused(posted(None), create)).fault.name == "request_incomplete"
    assert (await refused(posted(sized(b"")), create)).fault.name == "request_incomplete"


async def test_what_is_refused_before_it_is_read(create: RequestContract) -> None:
    body = sized(GOOD)
    assert (await refused(posted(body, [("Content-Type", "text/xml")]), create)).fault.status == 415
    large = Pieces([], length=1 << 20)
    error = await refused(posted(large), create)
    assert (error.fault.status, error.details[0].text) == (413, "The body may have 200KiB here.")
    assert body.received == large.received == 0


async def test_the_start_of_what_was_read_is_kept_for_whoever_captures_failures(create: RequestContract) -> None:
    budget = ReadAhead()
    x = posted(sized(b'{"wrong": 1}'))
    await refused(x, create, budget)
    assert x.body_start is None
    budget.kept_bytes = 8
    x = posted(sized(b'{"wrong": 1}'))
    await refused(x, create, budget)
    assert x.body_start == b'{"wrong"'


async def test_a_chunked_body_that_is_too_long(create: RequestContract) -> None:
    budget = ReadAhead()
    error = await refused(posted(chunked(*[b" " * 65536] * 5)), create, budget)
    assert (error.fault.status, budget.reserved) == (413, 0)


async def test_a_body_that_breaks_off(create: RequestContract) -> None:
    budget = ReadAhead()
    error = await refused(posted(chunked(b" " * 65536, GatewayError(REQUEST_TIMEOUT))), create, budget)
    assert (error.fault.status, budget.reserved) == (408, 0)


async def test_bodies_share_a_budget(create: RequestContract) -> None:
    content = GOOD + b" " * 100_000
    budget = ReadAhead(150_000)
    first = posted(Pieces([content[:65536], content[65536:]], length=len(content)))
    await validate(first, create, budget, LoopBudget())
    assert budget.reserved == len(content)
    second = posted(Pieces([content[:65536], content[65536:]], length=len(content)))
    assert (await refused(second, create, budget)).fault.name == "bodies_full"
    assert budget.reserved == len(content)


async def test_a_large_body_takes_its_turn(tmp_path: Path) -> None:
    create = contract(tmp_path, "{openapi: pets.yaml, operation: createPet}")
    content = GOOD + b" " * 300_000
    loop_budget = LoopBudget()
    loop_budget.spent(1 << 20)
    x = posted(sized(content))
    waiting = asyncio.ensure_future(validate(x, create, ReadAhead(), loop_budget))
    await waiting
    assert await read(x) == content


async def test_opaque_bodies_are_not_read(tmp_path: Path) -> None:
    opaque = contract(
        tmp_path,
        "{openapi: d.yaml, operation: post}",
        d="openapi: 3.1.0\npaths: {/: {post: {requestBody: {required: true, content: {image/*: {}}}}}}",
    )
    body = sized(b"\xff")
    x = posted(body, [("Content-Type", "image/png")])
    await validate(x, opaque, ReadAhead(), LoopBudget())
    assert x.body is body


async def test_no_detail_repeats_a_key(create: RequestContract) -> None:
    key = "k" * 20
    x = posted(sized(b'{"name": "a", "kind": "dog", "%b": 1, "b": 2}' % key.encode()), header_keys=[key])
    error = await refused(x, create)
    assert {(detail.field, detail.text) for detail in error.details} == {
        ("***", "***"),
        ("body.b", "There is no field of this name."),
    }
    x = posted(sized(b'{"\xff'), header_keys=[key])
    assert key not in str((await refused(x, create)).details)


async def test_shadow_mode_lets_everything_through(shadow: RequestContract) -> None:
    long = b" " * 3000
    for body, fields, content, found in (
        (sized(GOOD), JSON, GOOD, 0),
        (sized(b'{"a": 1}'), JSON, b'{"a": 1}', 2),
        (sized(b"<a/>"), [("Content-Type", "text/xml")], b"<a/>", 1),
        (sized(long), JSON, long, 1),
        (chunked(long, long), JSON, long + long, 1),
    ):
        x = posted(body, fields)
        await validate(x, shadow, ReadAhead(), LoopBudget())
        assert x.request_faults == found
        assert await read(x) == content
        assert x.body is not None
        assert (x.body.received, x.body.waited_s) == (len(content), body.waited_s)
