"""kernel/http/link_fields.py: Link header fields."""

import time

import pytest

from gateway.kernel.http.link_fields import is_safe, parsed, safe_links

PAGES = '<https://x/a?page=2&per_page=5>; rel="next", </a?page=9>; rel=last; title="a, b"'


@pytest.mark.parametrize(
    "value",
    [
        PAGES,
        "",
        "<>",
        "</a>",
        '<?p=2>;rel="next"',
        "<urn:x:y>; rel=type",
        '<https://x:8080/a%20b>; rel="a"',
        "no links: at all",
        "<mailto:a@b.c>",
    ],
)
def test_fields_stay_as_they_are(value: str) -> None:
    assert safe_links(value) == value


@pytest.mark.parametrize(
    "link",
    [
        "<javascript:alert(1)>; rel=next", "<JavaScript:alert(1)>", "<data:text/html,x>", "<vbscript:x>", "< javascript:x>", "<java%73cript:alert(1)>",
        "<&#106;avascript:alert(1)>", "<https://u:p@h/>", "<postgres://a:b@db/x>", "<https://x/%3Cscript%3E>", "<file:///etc/passwd>", "<blob:x>",
        '</a>; title="&lt;img src=x onerror=alert(1)&gt;"', '</a>; title="x=1 onerror=alert(1) &lt;b onerror=1"', "<https://x/?password=s3cret>",
    ],
)  # fmt: skip
def test_links_that_run_code_or_reveal_the_service_are_dropped(link: str) -> None:
    assert safe_links(link) == ""
    assert safe_links(f"{link}, </next>; rel=next, {link}") == "</next>; rel=next"


def test_what_is_no_link_and_unfit_is_dropped() -> None:
    assert safe_links("javascript:alert(1)") == ""
    assert safe_links("<script>alert(1)</script>") == ""


def test_parsed() -> None:
    links = parsed('<https://x>; REL="a b"; rel=c; title="Why, \\"why\\""; flag, </y>')
    assert [(link.href, link.parameters) for link in links] == [
        ("https://x", {"rel": "a b", "title": 'Why, "why"'}),
        ("/y", {}),
    ]


@pytest.mark.parametrize(
    ("href", "safe"), [("/a", True), ("", False), ("a\tb", False), ("HTTPS://x", True), ("ws:x", False)]
)
def test_is_safe(href: str, *, safe: bool) -> None:
    assert is_safe(href) is safe


@pytest.mark.parametrize("atom", ["<", "<x>", "<x>;a", "<x>; a=", '<x>; a="', " ", "<x>;a ", "%", '<x>;a="\\', ";a="])
def test_any_field_costs_its_length(atom: str) -> None:
    value = "<x>;a" + atom * (60_000 // len(atom))
    began = time.process_time()
    safe_links(value)
    parsed(value)
    assert time.process_time() - began < 2
