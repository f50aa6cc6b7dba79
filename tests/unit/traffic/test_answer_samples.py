"""traffic/answer_samples.py: a share of the answers is shown to somebody."""

import msgspec

from gateway.traffic.answer_samples import AnswerSampler
from gateway.upstream.call import Answer, Call
from tests.samples import Echo
from tests.unit.upstream.calls import call


async def test_a_share_of_the_answers_but_none_of_handshakes() -> None:
    seen: list[tuple[Call, Answer]] = []
    service, chances = Echo(), iter([0.0, 0.049, 0.05, 0.99, 0.0])
    sampler = AnswerSampler(service, 0.05, lambda *each: seen.append(each), lambda: next(chances))
    answers = [await sampler.send(call()) for _ in range(4)]
    assert [each for _, each in seen] == answers[:2]
    await sampler.send(msgspec.structs.replace(call(), upgrade_mask=b"mask"))
    assert (len(seen), sampler.id, repr(sampler)) == (2, service.id, f"<AnswerSampler of {service.id}, 5.00%>")
