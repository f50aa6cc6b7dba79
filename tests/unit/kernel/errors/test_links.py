"""kernel/errors/links.py: links in errors lead where a client may follow."""

import pytest

from gateway.kernel.errors.links import links_in
from gateway.kernel.faults import Link


def test_links() -> None:
    named: dict[str, object] = {
        "type": "https://x/t",
        "title": "T",
        "links": [{"href": "https://x/1", "rel": "r"}, {"url": "https://x/2", "title": "<b>x</b>"}, 7],
    }
    assert links_in(named) == [
        Link("https://x/t", "T"),
        Link("https://x/1", "r"),
        Link("https://x/2", "More information"),
    ]


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "/relative",
        "https://u:p@h/x",
        "https://x/%3Cscript%3E",
        "https://x/&lt;img src=x&gt;",
        "https://x/\u202e",
        "https://x y",
        "",
        7,
        None,
    ],
)
def test_no_links(href: object) -> None:
    assert links_in({"help": href, "links": [{"href": href}], "href": href}) == []
    assert links_in({"links": {"about": href, "self": 7}}) == []
