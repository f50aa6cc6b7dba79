"""Shares the callers of a route among several upstreams, such as two versions of one service.

Law: a caller always goes to the same upstream, in all workers and gateways, as long as the weights stay the same. When
one upstream gets more weight, callers move to it and no others move.
"""

from collections.abc import Sequence
from typing import Protocol

from gateway.kernel.load_balancing import Rendezvous, seed_of
from gateway.upstream.call import Answer, Call


class Destination(Protocol):
    """The part of an upstream that is needed here."""

    id: str

    async def send(self, call: Call) -> Answer:
        """Raise what an upstream raises."""
        ...


class Split:
    """Passes each call on to one of `parts`. `id` is that of the first one, which stands for all where one is named."""

    def __init__(self, parts: Sequence[Destination], weights: Sequence[int]) -> None:
        self.id = parts[0].id
        self._parts = parts
        self._rendezvous = Rendezvous(
            {number: weight for number, weight in enumerate(weights) if weight},
            {number: seed_of(part.id) for number, part in enumerate(parts)},
        )

    def __repr__(self) -> str:
        return f"<Split among {', '.join(part.id for part in self._parts)}>"

    async def send(self, call: Call) -> Answer:
        """Do what the upstream does that the caller belongs to."""
        part = self._parts[self._rendezvous.of(seed_of(call.caller))]
        call.upstream = part.id
        return await part.send(call)
