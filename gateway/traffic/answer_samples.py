"""Shows some of the answers of a route's services to somebody who looks at them later."""

from collections.abc import Callable
from typing import TypeAlias

from gateway.traffic.split import Destination
from gateway.upstream.call import Answer, Call

TakeAnswer: TypeAlias = Callable[[Call, Answer], None]
"""Takes an answer at once, without looking at it. Nothing of it may be changed."""


class AnswerSampler:
    """Passes calls on to `behind`, and `share` of the answers to `take`. `chance` is from 0 up to 1.

    Handshakes have no answer of their service's API.
    """

    def __init__(self, behind: Destination, share: float, take: TakeAnswer, chance: Callable[[], float]) -> None:
        self.id = behind.id
        self._behind = behind
        self._share = share
        self._take = take
        self._chance = chance

    def __repr__(self) -> str:
        return f"<AnswerSampler of {self.id}, {self._share:.2%}>"

    async def send(self, call: Call) -> Answer:
        """Do what `behind.send` does."""
        answer = await self._behind.send(call)
        if self._chance() < self._share and not call.upgrade_mask:
            self._take(call, answer)
        return answer
