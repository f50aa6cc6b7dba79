import asyncio

from gateway.supervisor.hot_restart import HotRestart
from tests.fakes import turn, until


class FakeProgram:
    """`accepted` returns when the test sets `decided`."""

    def __init__(self) -> None:
        self.decided: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def accepted(self) -> bool:
        return await self.decided


class Program:
    """A program that is asked to give way."""

    def __init__(self, *, alone: bool = True) -> None:
        self.started: list[FakeProgram] = []
        self.gave_way: list[FakeProgram] = []
        self.restart = HotRestart(self._start, self._give_way, alone=alone)

    def _start(self) -> FakeProgram:
        self.started.append(FakeProgram())
        return self.started[-1]

    async def _give_way(self, program: FakeProgram) -> None:
        self.gave_way.append(program)


async def test_a_second_signal_starts_no_second_program() -> None:
    program = Program()
    assert repr(program.restart) == "<HotRestart not begun>"
    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(program.restart.execute())
        await until(lambda: bool(program.started))
        assert repr(program.restart) == "<HotRestart under way>"
        program.started[0].decided.set_result(True)
    await program.restart.execute()
    assert len(program.gave_way) == len(program.started) == 1
    assert repr(program.restart) == "<HotRestart over>"


async def test_after_a_program_that_failed_another_one_is_started() -> None:
    program = Program()
    for accepted in (False, True):
        executing = asyncio.create_task(program.restart.execute())
        await until(lambda: bool(program.started) and not program.started[-1].decided.done())
        program.started[-1].decided.set_result(accepted)
        await executing
        assert program.restart.over is accepted
    assert program.gave_way == program.started[1:]


async def test_it_waits_for_a_reload_and_for_the_end_of_an_earlier_program() -> None:
    program = Program(alone=False)
    async with asyncio.TaskGroup() as tasks:
        async with program.restart.changing:
            tasks.create_task(program.restart.execute())
            await turn()
            program.restart.alone.set()
            await turn()
            await turn()
            assert program.started == []
        await until(lambda: bool(program.started))
        assert program.restart.changing.locked()
        program.started[0].decided.set_result(True)


async def test_a_program_that_cannot_be_started_changes_nothing() -> None:
    def start() -> FakeProgram:
        raise OSError("no such file")

    program = Program()
    restart = HotRestart(start, program._give_way, alone=True)
    await restart.execute()
    assert not restart.over
    assert repr(restart) == "<HotRestart not begun>"
