"""The operator's page: its files, which need nothing from elsewhere, and the catalogue of faults that it explains."""

from collections.abc import Callable
from importlib.resources import files

from aiohttp import web

from gateway.admin.connection import SERVER, json_reply
from gateway.admin.listener import View
from gateway.kernel.caching.storage import unmodified
from gateway.net.static_files import StaticFile, static_files
from gateway.table.snapshot import Snapshot

INDEX = "index.html"


def page_views(snapshot: Callable[[], Snapshot]) -> dict[str, View]:
    """Return the files of the page by path, the page itself at `/`, and the faults of the configuration in force."""
    found = static_files(files("gateway.console").joinpath("static"))
    return {
        "/faults": faults_view(snapshot),
        **{"/" if name == INDEX else f"/{name}": file_view(file) for name, file in found.items()},
    }


def file_view(file: StaticFile) -> View:
    """Serve `file`; a client that has it already gets 304."""

    async def show(request: web.BaseRequest) -> web.Response:
        fields = {"Server": SERVER, **dict(file.fields)}
        if unmodified(request.headers.get("If-None-Match"), None, file.tag, ""):
            del fields["Content-Type"]
            return web.Response(status=304, headers=fields)
        return web.Response(body=file.body, headers=fields)

    return show


def faults_view(snapshot: Callable[[], Snapshot]) -> View:
    """Show what each fault means: its status, code and texts, as the configuration in force has them."""

    async def show(_: web.BaseRequest) -> web.Response:
        shown: dict[str, object] = {
            name: {
                "status": fault.status,
                "code": fault.code,
                "source": fault.source,
                "message": fault.message,
                "developer_message": fault.developer_message,
            }
            for name, fault in snapshot().faults.items()
        }
        return json_reply(200, {"faults": shown})

    return show
