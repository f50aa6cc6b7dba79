"""Shares the callers of a route among several upstreams, such as two versions of one service.

Law: a caller always goes to the same upstream, in all workers and gateways, as long as the weights stay the same. When
one upstream gets more weight, callers move to it and no others move.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from gateway.kernel.load_balancing import Rendezvous, seed_of
from gateway.upstream.call import Answer, Call


class Destination(Protocol):
    """The part of an upstream that is needed here."""

    id: str

    def send(self, call: Call) -> Awaitable[Answer]:
        """Raise what an upstream raises."""
        ...


class SplitShares:
    """Says to which of `upstreams` a caller belongs, by their `weights`."""

    def __init__(self, upstreams: Sequence[str], weights: Sequence[int]) -> None:
        self._rendezvous = Rendezvous(
            {number: weight for number, weight in enumerate(weights) if weight},
            {number: seed_of(upstream) for number, upstream in enumerate(upstreams)},
        )

    def number_of(self, caller: str) -> int:
        """Return the number of the upstream, from 0. `caller` is that of a `Call`."""
        return self._rendezvous.of(seed_of(caller))


class Split:
    """Passes each call on to one of `parts`. `id` is that of the first one, which stands for all where one is named."""

    def __init__(self, parts: Sequence[Destination], weights: Sequence[int]) -> None:
        self.id = parts[0].id
        self._parts = parts
        self._shares = SplitShares([part.id for part in parts], weights)

    def __repr__(self) -> str:
        return f"<Split among {', '.join(part.id for part in self._parts)}>"

    async def send(self, call: Call) -> Answer:
        """Do what the upstream does that the caller belongs to."""
        part = self._parts[self._shares.number_of(call.caller)]
        call.upstream = part.id
        return await part.send(call)
