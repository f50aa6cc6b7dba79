"""Files of a package that are served as they are: pages for browsers, with their styles and scripts."""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources.abc import Traversable
from typing import NamedTuple

from gateway.kernel.http.response_headers import Line

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy of pages: nothing but files and calls of the same origin, and nothing inline."""
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class StaticFile(NamedTuple):
    """A file as it is sent. `fields` are all header fields that it needs, its entity tag `tag` among them."""

    body: bytes
    tag: str
    fields: tuple[Line, ...]


def static_file(name: str, body: bytes) -> StaticFile:
    """Return the file `name`, whose suffix says of which type it is: css, html, js or svg."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    fields = (
        ("Content-Type", _TYPES[name.rpartition(".")[2]]),
        ("ETag", tag),
        ("Cache-Control", "no-cache"),
        ("Content-Security-Policy", PAGE_POLICY),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    )
    return StaticFile(body, tag, fields)


def static_files(folder: Traversable, values: Mapping[str, bytes] | None = None) -> dict[str, StaticFile]:
    """Return the files of `folder` by name. In its pages `{{NAME}}` is replaced by `values[NAME]`, which is HTML.

    Raises OSError.
    """
    found: dict[str, StaticFile] = {}
    for file in folder.iterdir():
        if file.name.rpartition(".")[2] not in _TYPES:
            continue
        body = file.read_bytes()
        if file.name.endswith(".html"):
            for name, value in (values or {}).items():
                body = body.replace(b"{{%s}}" % name.encode(), value)
        found[file.name] = static_file(file.name, body)
    return found
