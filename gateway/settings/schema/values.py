"""Rules for single values of the configuration, with texts that explain why a value is refused.

A text quotes what it repeats of a value in backquotes, and only there: code that shows it can redact values from the
environment. Values of secrets are never repeated.
"""

import os
import re
from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from gateway.kernel import units
from gateway.kernel.http import path_patterns as patterns


class RefusedError(ValueError):
    """An invalid value. The hint tells what to write instead, or is ""."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is closest to `name`, None if none is close."""
    lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), lower, n=1)
    return lower[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint, or "" when nothing known comes close."""
    meant = nearest(name, known)
    return f"did you mean `{meant}`?" if meant else ""


def text_of(value: object, what: str) -> str:
    """Return the value if it is a string. Raises RefusedError."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        raise RefusedError(f"{what} is wanted here, not true or false")
    if isinstance(value, (int, float)):
        raise RefusedError(f"{what} is wanted here, not a bare number")
    raise RefusedError(f"{what} is wanted here")


def duration(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise RefusedError("a duration needs its unit", f"write `{value}s` or `{value}ms`")
    return units.parse_duration(text_of(value, "a duration such as `30s`"))


def positive_duration(value: object) -> float:
    seconds = duration(value)
    if seconds == 0:
        raise RefusedError("must be longer than 0")
    return seconds


def size(value: object) -> int:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise RefusedError("a size needs its unit", f"write `{value}B` or `{value}KiB`")
    return units.parse_size(text_of(value, "a size such as `8MiB`"))


def percent(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise RefusedError("a share needs its percent sign", f"write `{value}%`")
    return units.parse_percent(text_of(value, "a share such as `20%`"))


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_ID_PATTERN = re.compile(r"[A-Za-z0-9.*_:@-]{1,128}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MORE_THAN_MICROSECONDS = re.compile(r"(\.\d{6})\d+")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def identifier(value: object) -> str:
    text = text_of(value, "an id in quotes")
    if not _ID.fullmatch(text):
        raise RefusedError(
            f"`{text}` is not an id; use up to 128 letters, digits and `._:@-`, beginning with a letter or digit"
        )
    return text


def identifier_pattern(value: object) -> str:
    text = text_of(value, "a route's id or a pattern such as `encoding.*`")
    if not _ID_PATTERN.fullmatch(text):
        raise RefusedError(f"`{text}` is neither a route's id nor a pattern such as `encoding.*`")
    return text


def header_name(value: object) -> str:
    text = text_of(value, "the name of a header field")
    if not _TOKEN.fullmatch(text):
        raise RefusedError(f"`{text}` is not the name of a header field", "use letters, digits and `-`")
    return text


def header_names(value: object) -> str:
    text = header_name(value)
    if "*" in text[:-1] or text == "*":
        raise RefusedError(
            f"`{text}`: a `*` stands at the end only, behind what the names begin with",
            "write one such as `X-Internal-*`",
        )
    return text


def header_value(value: object) -> str:
    text = text_of(value, "a value in quotes")
    if any((char < " " and char != "\t") or char == "\x7f" or char > "\xff" for char in text):
        raise RefusedError("the value of a header field is one line of Latin-1 text without control characters")
    if text != text.strip(" \t"):
        raise RefusedError("the value of a header field neither begins nor ends with white space")
    return text


def query_name(value: object) -> str:
    text = text_of(value, "the name of a query parameter")
    if not re.fullmatch(r"[A-Za-z0-9._~-]+", text):
        raise RefusedError(f"`{text}` is not the name of a query parameter", "use letters, digits and `._~-`")
    return text


_LONGEST_PASSWORD_BYTES = 4096
MOST_WORKERS = 256
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def method(value: object) -> str:
    text = text_of(value, "a method")
    if text in {"TRACE", "CONNECT"}:
        raise RefusedError(f"{text} never passes the gateway")
    if text not in METHODS:
        raise RefusedError(f"`{text}` is not a method that the gateway knows", did_you_mean(text, METHODS))
    return text


def path_pattern(value: object) -> str:
    text = text_of(value, "a path such as `/v1/orders/{id}`")
    patterns.parse(text)
    return text


def own_path(value: object) -> str:
    text = path_pattern(value)
    if not all(isinstance(segment, str) for segment in patterns.parse(text)):
        raise RefusedError("a path without parameters is wanted here")
    return text


def document_path(value: object) -> str:
    text = own_path(value)
    if not text.endswith(".json"):
        raise RefusedError("the path of the document ends with `.json`", "with `.yaml` in place of that it is YAML")
    return text


def path_prefix(value: object) -> str:
    text = text_of(value, "a path such as `/v1/orders`")
    patterns.parse_prefix(text)
    return text


def token(value: object) -> str:
    text = text_of(value, "a token in quotes")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise RefusedError("a token is printable ASCII without spaces")
    return text


def password(value: object) -> str:
    return text_of(value, "a password in quotes")


def password_file(value: object) -> str:
    """Return the content of the file without the line break at its end.

    A name of no file may be the password itself.

    The name of a file that is not there may be the password itself.
    """
    path = Path(text_of(value, "the path of a file"))
    try:
        with path.open("rb") as stream:
            content = stream.read(_LONGEST_PASSWORD_BYTES + 3)
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        name = f"`{path}`" if os.path.lexists(path) else "the file"
        position = f"it is looked for in `{path.parent}`" if name == "the file" and path.parent.is_dir() else ""
        raise RefusedError(f"{name} cannot be read: {error.strerror}", position) from None
    except UnicodeDecodeError:
        raise RefusedError(f"`{path}` is not UTF-8 text") from None
    except ValueError:
        raise RefusedError("this is not the name of a file") from None
    if not text or len(text) > _LONGEST_PASSWORD_BYTES:
        raise RefusedError(f"`{path}` holds no password: 1 to {_LONGEST_PASSWORD_BYTES} characters are wanted")
    return text


def digest(value: object) -> str:
    text = text_of(value, "a SHA-256 digest in quotes")
    if not _DIGEST.fullmatch(text):
        hint = "write it in lower case" if _DIGEST.fullmatch(text.lower()) else "`gateway keys create` prints one"
        raise RefusedError("a SHA-256 digest is 64 lower-case hexadecimal digits", hint)
    return text


def instant(value: object) -> datetime:
    text = text_of(value, "a date and time such as `2027-06-30T00:00:00Z`")
    if not _RFC3339.fullmatch(text):
        raise RefusedError(
            f"`{text}` is not a date and time with its offset (RFC 3339)", "write one such as `2027-06-30T00:00:00Z`"
        )
    try:
        return datetime.fromisoformat(_MORE_THAN_MICROSECONDS.sub(r"\1", text.upper()))
    except ValueError as error:
        raise RefusedError(f"`{text}` is not a date and time: {error}") from None


def href(value: object) -> str:
    text = text_of(value, "a URL")
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", text) or not text.isprintable():
        raise RefusedError(f"`{text}` is not a URL that begins with `http://` or `https://`")
    return text


def version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise RefusedError("only version 1 of the format is known", "write `version: 1`")
    return value


def workers(value: object) -> int | None:
    """Return the number of workers, None for `auto`."""
    if value == "auto":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_WORKERS:
        return value
    raise RefusedError(f"the number of workers is `auto`, or 1 to {MOST_WORKERS}")
