"""The page at `server.docs_path`: static files, which know nothing but where the document is and how keys are sent."""

from html import escape
from importlib.resources import files
from posixpath import dirname, relpath

from gateway.net.static_files import StaticFile, static_files
from gateway.settings import Config
from gateway.settings.schema.config import DOCS_FILES

_PAGE = "page.html"


def page_files(config: Config) -> dict[str, StaticFile]:
    """Return the page and what it loads, by path; nothing where the configuration asks for no page.

    Paths in the page are relative to it, for whoever puts the gateway below a path of another host.
    """
    path, document = config.server.docs_path, config.server.openapi_path
    if path is None or document is None:
        return {}
    folder, limits = dirname(path), config.server.limits_path
    below = path.rstrip("/")
    values = {
        "files": f"./{relpath(below or '/', folder)}".removesuffix("/."),
        "document": relpath(document, folder),
        "limits": "" if limits is None else relpath(limits, folder),
        "key": config.auth.key.header,
    }
    found = static_files(files("gateway.openapi.publish") / "page", {k: escape(v).encode() for k, v in values.items()})
    return {path: found[_PAGE], **{f"{below}/{name}": found[name] for name in DOCS_FILES}}
