"""traffic/split.py: which upstream a caller belongs to."""

from collections.abc import Sequence

from gateway.traffic.split import Split
from gateway.upstream.call import Answer, Call
from tests.unit.upstream.calls import call


class Part:
    """An upstream that keeps the callers of its calls."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.callers: list[str] = []

    async def send(self, call: Call) -> Answer:
        self.callers.append(call.caller)
        return Answer(200, [], b"", None, 0, self.id)


async def shared(weights: Sequence[int], callers: int = 2000) -> list[Part]:
    parts = [Part(f"v{number}") for number in range(len(weights))]
    split = Split(parts, weights)
    for number in range(callers):
        sent = call()
        sent.caller = f"caller {number}"
        answer = await split.send(sent)
        assert answer.target == sent.upstream
    return parts


async def test_weights_are_shares_of_the_callers() -> None:
    counts = [len(part.callers) for part in await shared([90, 10, 0])]
    assert 120 < counts[1] < 280
    assert (sum(counts), counts[2]) == (2000, 0)


async def test_a_caller_stays_where_it_is_and_moves_only_to_what_gets_more() -> None:
    before, after = await shared([95, 5]), await shared([80, 20])
    assert set(before[1].callers) < set(after[1].callers)
    assert [part.callers for part in before] == [part.callers for part in await shared([95, 5])]


def test_it_goes_by_the_name_of_the_first() -> None:
    split = Split([Part("v1"), Part("v2")], [1, 1])
    assert (split.id, repr(split)) == ("v1", "<Split among v1, v2>")
