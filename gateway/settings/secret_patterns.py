"""Recognises secrets in a configuration: our own keys, credentials in URLs, random characters."""

import re

from gateway.kernel.key_format import PREFIX

MASK = "***"
"""Replaces what is not shown."""

_RANDOM = re.compile(r"[0-9A-Za-z]{20,}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_EXAMPLE = "host:port"
"""Stands in the URLs that messages give as examples."""
_HARMLESS_REST = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:,(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?)*(?:/[A-Za-z0-9._~%/-]*)?"
    r"|/[A-Za-z0-9._~%/-]*"
)
"""Hosts with their ports, and a path; or a path alone (`unix://`)."""
_SERVER = re.compile(r"[A-Za-z0-9.-]{1,253}:[0-9]{1,5}")


def looks_secret(text: str) -> bool:
    """Return whether `text` holds something that has the form of a secret: it is repeated nowhere."""
    if _EXAMPLE in text:
        return False
    return holds_key(text) or shown_url(text) != text or _has_login(text)


def holds_key(text: str) -> bool:
    """Return whether `text` holds an API key, or a run of twenty letters and digits as random generators make them."""
    if PREFIX in text.lower() and len(text) > len(PREFIX) + 4:
        return True
    return any(not run.isalpha() and not run.isdigit() for run in _RANDOM.findall(text))


def _has_login(text: str) -> bool:
    """Return whether `text` reads like `user:password@host`."""
    return text.rpartition("@")[0].partition(":")[2] != ""


def is_server(text: str) -> bool:
    """Return whether `text` is a host and its port: what remains of a URL whose beginning was forgotten."""
    return _SERVER.fullmatch(text) is not None


def shown_url(text: str) -> str:
    """Return `text` as it may be shown: without credentials of a URL, and without all behind a doubtful `://`."""
    if "://" not in text:
        return text
    begin = _URL.match(text)
    if begin is None:
        return MASK
    if begin.end() == len(text):
        return text
    rest, question, _ = text[begin.end() :].partition("?")
    before, at, host = rest.rpartition("@")
    login = MASK + "@" if at else ""
    if before.endswith(":"):  # nobody's password is empty: it may begin with an @ that is not percent-encoded
        return text[: begin.end()] + MASK
    if (
        question and "@" in text[begin.end() + len(rest) :]
    ):  # a password may hold a question mark: what is what cannot be known
        return text[: begin.end()] + MASK
    # Without a port it may be the end of a password with an @ in it, behind which no host was written.
    doubtful = at and not host.startswith("/") and re.search(r":[0-9]", host) is None
    if doubtful or not _HARMLESS_REST.fullmatch(host) or holds_key(host):
        return text[: begin.end()] + login + MASK
    return text[: begin.end()] + login + host + (f"?{MASK}" if question else "")
