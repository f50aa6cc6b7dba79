"""Questions of pages to the workers."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

WITHIN_S = 20.0


class PatientWorker(Protocol):
    """A worker that may take longer than usual to answer."""

    async def query(
        self, question: str, parameters: dict[str, str], within_s: float = WITHIN_S
    ) -> tuple[int, bytes] | None:
        """Return the status and the JSON of the worker's reply; None if it does not respond within `within_s`."""
        ...


class AskedWorker(Protocol):
    """A worker that answers in its usual time, or not at all."""

    async def query(self, question: str, parameters: dict[str, str]) -> tuple[int, bytes] | None:
        """Return the status and the JSON of the worker's reply; None if it does not respond."""
        ...


async def answers_of_all(
    workers: Sequence[AskedWorker], question: str, parameters: Mapping[str, str] | None = None
) -> list[Any]:
    """Ask `workers` side by side. Return what those answer that have something to say."""
    responses = await asyncio.gather(*[worker.query(question, dict(parameters or {})) for worker in workers])
    return [msgspec.json.decode(each[1]) for each in responses if each is not None and each[0] == HTTPStatus.OK]
