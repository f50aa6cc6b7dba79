import asyncio

from gateway.supervisor.hot_restart import Succession
from tests.fakes import turn, until


class Will:
    """Accepted, or not, when the test says so."""

    def __init__(self) -> None:
        self.decided: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def accepted(self) -> bool:
        return await self.decided


class Program:
    """One that is told to give way."""

    def __init__(self, *, alone: bool = True) -> None:
        self.wills: list[Will] = []
        self.gave_way: list[Will] = []
        self.succession = Succession(self._handover_state, self._give_way, alone=alone)

    def _handover_state(self) -> Will:
        self.wills.append(Will())
        return self.wills[-1]

    async def _give_way(self, will: Will) -> None:
        self.gave_way.append(will)


async def test_who_is_told_twice_gives_way_once() -> None:
    program = Program()
    assert repr(program.succession) == "<Succession not begun>"
    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(program.succession.execute())
        await until(lambda: bool(program.wills))
        assert repr(program.succession) == "<Succession under way>"
        program.wills[0].decided.set_result(True)
    await program.succession.execute()
    assert len(program.gave_way) == len(program.wills) == 1
    assert repr(program.succession) == "<Succession over>"


async def test_after_a_next_program_that_failed_another_one_may_come() -> None:
    program = Program()
    for accepted in (False, True):
        executing = asyncio.create_task(program.succession.execute())
        await until(lambda: bool(program.wills) and not program.wills[-1].decided.done())
        program.wills[-1].decided.set_result(accepted)
        await executing
        assert program.succession.over is accepted
    assert program.gave_way == program.wills[1:]


async def test_it_waits_for_a_reload_and_for_the_end_of_an_earlier_program() -> None:
    program = Program(alone=False)
    async with asyncio.TaskGroup() as tasks:
        async with program.succession.changing:
            tasks.create_task(program.succession.execute())
            await turn()
            program.succession.alone.set()
            await turn()
            await turn()
            assert program.wills == []
        await until(lambda: bool(program.wills))
        assert program.succession.changing.locked()
        program.wills[0].decided.set_result(True)


async def test_what_cannot_be_started_changes_nothing() -> None:
    def hand_over() -> Will:
        raise OSError("no such file")

    program = Program()
    succession = Succession(hand_over, program._give_way, alone=True)
    await succession.execute()
    assert not succession.over
    assert repr(succession) == "<Succession not begun>"
