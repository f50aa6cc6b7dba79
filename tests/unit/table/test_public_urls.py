"""table/public_urls.py: where a client is sent, in its own terms."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.table.public_urls import PublicOrigin, UrlMapping, public_origin, url_mapping, with_public_urls

API = PublicOrigin("https", "api.example.com", "")
PLAIN = url_mapping([("orders.internal", 3000, "")], None, "", "")
SHOP = url_mapping([("orders.internal", 3000, "")], None, "/shop", "")
DEEP = url_mapping([("orders.internal", 80, "/base"), ("10.0.0.5", 8080, "/other")], None, "/shop", "/v2")


def sent(reference: str, way: UrlMapping = SHOP, to: PublicOrigin = API, path: str = "/items/5") -> str:
    return way.url(reference, to, path)


@pytest.mark.parametrize(
    "named",
    [
        "http://orders.internal:3000", "https://orders.internal:3000", "HTTP://Orders.Internal:3000", "http://orders.internal.:3000",
        "http://user:pw@orders.internal:3000", "http://a@b@orders.internal:3000", "//orders.internal:3000", "///orders.internal:3000",
        "\\\\orders.internal:3000", "http:\\\\orders.internal:3000", "/\\orders.internal:3000", "http:/orders.internal:3000",
        "http:orders.internal:3000", "http://orders%2einternal:3000", "http://orders.internal", "https://orders.internal:443",
        "http://orders.internal:80", "http://orders.internal:", "//orders.internal",
    ],
)  # fmt: skip
def test_a_url_of_the_target_becomes_public(named: str) -> None:
    assert sent(f"{named}/items/?a=http://orders.internal:3000/#b", PLAIN) == (
        "https://api.example.com/items/?a=http://orders.internal:3000/#b"
    )
    assert sent(named, PLAIN) == "https://api.example.com/"
    assert sent(f"{named}?a", PLAIN) == "https://api.example.com/?a"
    assert sent(f"{named}/items/17") == "https://api.example.com/shop/items/17"


@pytest.mark.parametrize(
    "other",
    [
        "https://login.example/x", "http://orders.internal:3001/x", "http://orders.internal.evil.example:3000/", "http://xorders.internal:3000/",
        "http://evil.example/http://orders.internal:3000/", "mailto:a@orders.internal", "ftp://orders.internal:3000/", "urn:isbn:1",
        "http://orders.internal:3000@evil.example/", "https://api.example.com/items", "//cdn.example/x", "http://", "http://[::1", "",
        "http://orders.internal:99999999/", "http://evil.example?@orders.internal:3000/", "custom:path",
    ],
)  # fmt: skip
def test_somebody_elses_stays_byte_for_byte(other: str) -> None:
    assert sent(other, PLAIN) == other
    assert sent(other) == other


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("/items/17", "/shop/items/17"),
        ("/items?next=/items#a", "/shop/items?next=/items#a"),
        ("/", "/shop/"),
        ("/shop/items/17", "/shop/items/17"),
        ("/shop", "/shop"),
        ("/shopping", "/shop/shopping"),
        ("/a/../items", "/shop/items"),
        ("/../../items", "/shop/items"),
        ("\\items", "/shop/items"),
        ("17", "/shop/items/17"),
        ("./17?a", "/shop/items/17?a"),
        ("../17", "/shop/17"),
        ("../../../17", "/shop/17"),
        ("..", "/shop/"),
        (".", "/shop/items/"),
        ("?page=2", "?page=2"),
        ("#part", "#part"),
        ("a:b", "a:b"),
    ],
)
def test_a_stripped_prefix_is_put_back_once(reference: str, wanted: str) -> None:
    assert sent(reference) == wanted
    assert sent(reference, PLAIN) == reference


def test_relative_to_a_prefix_without_a_slash() -> None:
    assert sent("items/", SHOP, path="") == "/shop/items/"


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("http://orders.internal/base/v2/items", "https://api.example.com/shop/items"),
        ("http://10.0.0.5:8080/other/v2", "https://api.example.com/shop"),
        ("/base/v2/items", "/shop/items"),
        ("/other/v2/items", "/shop/items"),
        ("/shop/items", "/shop/items"),
        ("/login", "/login"),
        ("http://orders.internal/login", "https://api.example.com/login"),
        ("17", "/shop/items/17"),
        ("../../../login", "/login"),
    ],
)
def test_what_was_put_before_a_path_is_removed(reference: str, wanted: str) -> None:
    assert sent(reference, DEEP, path="/v2/items/5") == wanted


def test_the_host_that_a_route_sets_is_the_services() -> None:
    for host in ("Inside.Example", "inside.example:9000"):
        way = url_mapping([("10.0.0.5", 8080, "")], host, "/shop", "")
        assert sent(f"https://{host}/items", way) == "https://api.example.com/shop/items"
        assert sent("http://inside.example:9001/", way) == "http://inside.example:9001/"
    same = url_mapping([("10.0.0.5", 8080, "")], "api.example.com", "/shop", "")
    assert sent("http://api.example.com/items", same) == "https://api.example.com/shop/items"


def test_the_public_name_may_be_the_targets_on_another_port() -> None:
    here = PublicOrigin("http", "localhost:8080", "")
    way = url_mapping([("localhost", 3000, "")], None, "", "")
    assert sent("http://localhost:3000/x", way, here) == "http://localhost:8080/x"
    assert sent("http://localhost/x", way, here) == "http://localhost/x"
    assert sent("http://localhost:8080/x", way, here) == "http://localhost:8080/x"


def test_a_loopback_address_has_many_names() -> None:
    way = url_mapping([("::1", 3000, ""), ("2001:DB8::0:7", 80, "")], None, "", "")
    for name in ("localhost", "127.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]", "0.0.0.0"):
        assert sent(f"http://{name}:3000/x", way) == "https://api.example.com/x"
    assert sent("http://[2001:db8::7]/x", way) == "https://api.example.com/x"
    assert sent("http://[2001:db8::8]/x", way) == "http://[2001:db8::8]/x"
    assert sent("http://[::zz]/x", way) == "http://[::zz]/x"


def test_what_proxies_in_front_removed_is_put_back_as_well() -> None:
    behind = PublicOrigin("https", "api.example.com", "/public")
    assert sent("/items", SHOP, behind) == "/public/shop/items"
    assert sent("/shop/items", SHOP, behind) == "/public/shop/items"
    assert sent("/public/shop/items", SHOP, behind) == "/public/shop/items"
    assert sent("/items", PLAIN, behind) == "/public/items"
    assert sent("http://orders.internal:3000/items", PLAIN, behind) == "https://api.example.com/public/items"


def test_a_client_without_a_host_gets_a_path() -> None:
    assert sent("http://orders.internal:3000/items", SHOP, PublicOrigin("http", "", "")) == "/shop/items"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("<http://orders.internal:3000/items?page=2>; rel=\"next\", </items?page=9>; rel=last", "<https://api.example.com/shop/items?page=2>; rel=\"next\", </shop/items?page=9>; rel=last"),
        ('<https://x.example/>; rel="a"; anchor="/items"', '<https://x.example/>; rel="a"; anchor="/shop/items"'),
        ("<?page=2>; rel=next", "<?page=2>; rel=next"),
        ("no link", "no link"),
        ("<<<", "<<<"),
    ],
)  # fmt: skip
def test_links(value: str, wanted: str) -> None:
    assert SHOP.link(value, API, "/items") == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("5; url=http://orders.internal:3000/items", "5; url=https://api.example.com/shop/items"),
        ("0;URL='/items'", "0;URL='/shop/items'"),
        ('0, url = "/items"; x', '0, url = "/shop/items"; x'),
        ("0; /items", "0; /shop/items"),
        ("5", "5"),
        ("5;", "5;"),
        ("5; url=https://x.example/", "5; url=https://x.example/"),
    ],
)
def test_refreshes(value: str, wanted: str) -> None:
    assert SHOP.refresh(value, API, "/items") == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("a=/items; Path=/items; HttpOnly", "a=/items; Path=/shop/items; HttpOnly"),
        ("a=1; path=/", "a=1; path=/shop"),
        ('a=1;Path="/items"', "a=1;Path=/shop/items"),
        ("a=1; Path=/shop/items", "a=1; Path=/shop/items"),
        ("a=1; Path=", "a=1; Path="),
        ("a=1; Domain=orders.internal; Secure", "a=1; Domain=api.example.com; Secure"),
        ("a=1; Domain=.Orders.Internal", "a=1; Domain=api.example.com"),
        ("a=1; Domain=example.com", "a=1; Domain=example.com"),
        ("__Host-a=1; Path=/; Secure", "__Host-a=1; Path=/; Secure"),
        ("a=1", "a=1"),
    ],
)
def test_cookies(value: str, wanted: str) -> None:
    assert SHOP.cookie(value, API) == wanted


def test_a_cookie_for_more_than_the_route_is_for_all_of_it() -> None:
    for path in ("/", "/base", "/base/", "/base/v2"):
        assert DEEP.cookie(f"a=1; Path={path}", API) == "a=1; Path=/shop"
    assert DEEP.cookie("a=1; Path=/base/v2/x", API) == "a=1; Path=/shop/x"
    assert DEEP.cookie("a=1; Path=/elsewhere", API) == "a=1; Path=/elsewhere"
    assert PLAIN.cookie("a=1; Path=/; Domain=x.example", API) == "a=1; Path=/; Domain=x.example"


@pytest.mark.parametrize("authority", ["localhost:8080", "192.0.2.1", "[2001:db8::1]:1", ""])
def test_no_cookie_is_for_what_browsers_take_for_no_domain(authority: str) -> None:
    assert PLAIN.cookie("a=1; Domain=orders.internal; Path=/", PublicOrigin("http", authority, "")) == "a=1; Path=/"


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (("http", "h:8080"), PublicOrigin("http", "h:8080", "")),
        (("https", "h:"), PublicOrigin("https", "h", "")),
        (("http", "[::1]:8"), PublicOrigin("http", "[::1]:8", "")),
        (("http", "bad host"), PublicOrigin("http", "", "")),
        (("http", "h", "HTTPS", "shop.example", "", "/p"), PublicOrigin("https", "shop.example", "/p")),
        (("http", "h", "gopher", "a b", "x"), PublicOrigin("http", "h", "")),
        (("http", "h", "https", "shop.example", "80"), PublicOrigin("https", "shop.example", "")),
        (("http", "h", "https", "shop.example", "443"), PublicOrigin("https", "shop.example", "")),
        (("http", "h", "https", "shop.example", "8443"), PublicOrigin("https", "shop.example:8443", "")),
        (("http", "h", "https", "shop.example:1", "8443"), PublicOrigin("https", "shop.example:1", "")),
        (("http", "h", "", "", "123456"), PublicOrigin("http", "h", "")),
    ],
)
def test_what_a_client_has_called(message: tuple[str, ...], wanted: PublicOrigin) -> None:
    assert public_origin(*message) == wanted


@given(st.text(alphabet="/\\.:@?#<>;=ahttporders.internal3000%2e\" ,'", max_size=60))
def test_nothing_raises_and_nothing_leads_to_the_target(text: str) -> None:
    for way in (PLAIN, SHOP, DEEP):
        mapped_once = way.url(text, API, "/items")
        assert (
            way.url(mapped_once, API, "/items") == mapped_once
            or mapped_once.startswith(("/", "?", "#"))
            or not mapped_once.startswith("https://api.example.com")
        )
        way.link(text, API, "/items")
        way.refresh(text, API, "/items")
        way.cookie(text, API)


@pytest.mark.parametrize(
    "text",
    ["<" * 60_000, '<anchor="' * 8_000, "/.." * 20_000, "0;" + " " * 60_000, "\\" * 60_000, "http:" + "@" * 60_000],
)
def test_large_values_take_no_longer_than_they_are_long(text: str) -> None:
    began = time.process_time()
    SHOP.url(text, API, "/items")
    SHOP.link(text, API, "/items")
    SHOP.refresh(text, API, "/items")
    SHOP.cookie(text, API)
    assert time.process_time() - began < 0.5


def test_of_endless_attributes_of_a_cookie_some_are_passed_on() -> None:
    assert PLAIN.cookie("a=1" + "; Secure" * 5000, API) == "a=1" + "; Secure" * 32


def test_each_field_of_a_reply_has_its_own_form() -> None:
    fields = [
        (b"location", b"http://orders.internal:3000/a"),
        (b"set-cookie", b"a=b; Path=/a"),
        (b"link", b"<http://orders.internal:3000/b>; rel=next"),
        (b"refresh", b"5; url=http://orders.internal:3000/c"),
        (b"x-url", b"http://orders.internal:3000/d"),
    ]
    assert with_public_urls(fields, SHOP, API, "/items/5") == [
        (b"location", b"https://api.example.com/shop/a"),
        (b"set-cookie", b"a=b; Path=/shop/a"),
        (b"link", b"<https://api.example.com/shop/b>; rel=next"),
        (b"refresh", b"5; url=https://api.example.com/shop/c"),
        (b"x-url", b"http://orders.internal:3000/d"),
    ]
