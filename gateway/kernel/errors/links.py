"""Extracts links from errors of backends."""

import re

from gateway.kernel.errors.sanitize import clean, fit
from gateway.kernel.faults import Link

_URL = re.compile(r"https?://[^\s<>\"]{1,1000}")
_NAMES = ("type", "erroruri", "docurl", "documentationurl", "help", "moreinfo", "infolink", "href")
_MOST = 100


def links_in(named: dict[str, object]) -> list[Link]:
    """Return the links of one error, `named` by the words of its members.

    They lead to http and https, and always have a title.
    """
    found = [
        Link(url, _title(named) if name == "type" else _title({})) for name in _NAMES if (url := _url(named.get(name)))
    ]
    links = named.get("links")
    if isinstance(links, dict):  # JSON:API
        links = [{"href": href, "title": name} if isinstance(href, str) else href for name, href in links.items()]
    listed = [link for link in links[:_MOST] if isinstance(link, dict)] if isinstance(links, list) else []
    return found + [
        Link(url, _title(link)) for link in listed if (url := _url(link.get("href")) or _url(link.get("url")))
    ]


def _title(link: dict[str, object]) -> str:
    return next(
        (title for name in ("title", "description", "rel") if (title := clean(link.get(name)))), "More information"
    )


def _url(value: object) -> str:
    return (
        value
        if isinstance(value, str) and _URL.fullmatch(value) and value.isprintable() and fit(value) == value
        else ""
    )
