"""admin/worker_queries.py: what all workers have to say to a question."""

from collections.abc import Mapping

from gateway.admin.worker_queries import answers_of_all


class Worker:
    """Gives one answer, and keeps what it was asked."""

    def __init__(self, answer: tuple[int, bytes] | None) -> None:
        self._answer = answer
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def query(self, question: str, parameters: dict[str, str]) -> tuple[int, bytes] | None:
        self.asked.append((question, parameters))
        return self._answer


async def test_the_answers_of_those_that_have_something_to_say() -> None:
    workers = [Worker((200, b'[{"a":1}]')), Worker(None), Worker((404, b'{"error":"nothing"}')), Worker((200, b"[]"))]
    assert await answers_of_all(workers, "drift", {"id": "x"}) == [[{"a": 1}], []]
    assert [worker.asked for worker in workers] == [[("drift", {"id": "x"})]] * 4


async def test_a_question_needs_no_parameters() -> None:
    worker = Worker((200, b"1"))
    assert (await answers_of_all([worker], "mirror"), worker.asked) == ([1], [("mirror", {})])
