"""What the admin listener shows of limits, and may reset. Workers know: they are asked."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from aiohttp import web

from gateway.admin.listener import View, json_reply
from gateway.supervisor.worker_process import Answer

_NOBODY = "no worker answers"
_NO_KEY: dict[str, object] = {"error": "say which key: ?key=ID"}


class Asked(Protocol):
    """What is needed of a worker."""

    slot: int
    pid: int

    async def ask(self, question: str, about: dict[str, str]) -> Answer | None:
        """None if it does not answer."""
        ...


def limit_views(answering: Callable[[], Sequence[Asked]]) -> dict[str, View]:
    """By path. `answering` are the workers that can be asked, those that serve first."""

    async def limiter(_: web.BaseRequest) -> web.Response:
        asked = answering()
        answers = await _ask_all(asked, "limiter", {})
        workers = [{"worker": worker.slot, "pid": worker.pid, **_told(answer)} for worker, answer in zip(asked, answers, strict=True)]
        return json_reply(200, {"workers": workers})

    async def limits(request: web.BaseRequest) -> web.Response:
        about = _about(request)
        if about is None:
            return json_reply(400, _NO_KEY)
        for worker in answering():
            if (answer := await worker.ask("limits", about)) is not None:
                return json_reply(answer.status, _told(answer))
        return json_reply(503, {"error": _NOBODY})

    return {"/limiter": limiter, "/limits": limits}


def resetting(answering: Callable[[], Sequence[Asked]]) -> View:
    """What a POST does: each worker forgets what it knows of a key, and the first one says what was reset."""

    async def reset(request: web.BaseRequest) -> web.Response:
        about = _about(request)
        if about is None:
            return json_reply(400, _NO_KEY)
        answers = [answer for answer in await _ask_all(answering(), "reset", about) if answer is not None]
        if not answers:
            return json_reply(503, {"error": _NOBODY})
        worst = max(answers, key=lambda answer: answer.status)
        return json_reply(worst.status, _told(worst))

    return reset


def _about(request: web.BaseRequest) -> dict[str, str] | None:
    """None without a key."""
    about = {name: request.query[name] for name in ("key", "organization", "quota") if request.query.get(name)}
    return about if "key" in about else None


async def _ask_all(workers: Sequence[Asked], question: str, about: dict[str, str]) -> list[Answer | None]:
    return await asyncio.gather(*[worker.ask(question, about) for worker in workers])


def _told(answer: Answer | None) -> dict[str, Any]:
    told: dict[str, Any] = {"error": _NOBODY} if answer is None else msgspec.json.decode(answer.body)
    return told
