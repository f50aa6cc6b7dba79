"""`${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `${file:path}` inside a scalar; `$$` is a dollar sign."""

import re
from collections.abc import Mapping
from pathlib import Path

_REFERENCE = re.compile(
    r"\$(?:\$|\{(?:file:(?P<file>[^}]*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<kind>[-?])(?P<rest>[^}]*))?)\}|(?P<bad>\{[^}]*\}?))"
)
_LARGEST_FILE = 1 << 20


def interpolate(text: str, environ: Mapping[str, str], directory: Path) -> str:
    """Return the text with its references replaced, once: what a reference brings in is not looked through again.

    A variable that is set but empty counts as unset for `:-` and `:?`, as in a shell. One line break at the end of a
    file is dropped. Raises ValueError with a text that never holds a value.
    """

    def replace(match: re.Match[str]) -> str:
        if match["bad"] is not None:
            raise ValueError(
                "`${…}` is one of `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${file:path}`; a dollar sign is `$$`"
            )
        if match["file"] is not None:
            return _read(match["file"], directory)
        if match["name"] is None:
            return "$"
        value = environ.get(match["name"])
        # A password may have this form by chance.
        name = match["name"] if match["name"].isupper() or match[0] == text else "…"
        if match["kind"] == "-":
            return value or match["rest"]
        if match["kind"] == "?" and not value:
            raise ValueError(f"`{name}` is not set in the environment: {match['rest'] or 'it must be'}")
        if value is None:
            raise ValueError(f"`{name}` is not set in the environment; set it, or write `${{{name}:-default}}`")
        return value

    return _REFERENCE.sub(replace, text)


def references(text: str) -> list[str]:
    """Return the references of a text by name, without defaults, which may be secrets."""
    found = _REFERENCE.finditer(text)
    return [
        f"${{file:{match['file']}}}" if match["file"] else f"${{{match['name']}}}"
        for match in found
        if match["file"] or match["name"]
    ]


def _read(name: str, directory: Path) -> str:
    if not name:
        raise ValueError("`${file:}` names no file")
    try:
        with (directory / name).open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"`{name}` is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise ValueError(
            f"`{name}` cannot be read: {error.strerror if isinstance(error, OSError) else 'not a path'}"
        ) from None
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"`{name}` is larger than 1 MiB")
    return text.removesuffix("\n").removesuffix("\r")
